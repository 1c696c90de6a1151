import { idFrom, sequenceOf, timeOf } from '../../log/ids.js'

/** An id as a script knows it: `ms-number`, without the epoch. */
export const positionOf = (id: string): string => `${timeOf(id)}-${sequenceOf(id)}`

/** The id of a position, or of one that comes so many after it in the same ms. */
export function idAt (position: string, epoch: string, offset = 0): string {
  const [time, number] = position.split('-')
  return idFrom(Number(time), Number(number) + offset, epoch)
}
