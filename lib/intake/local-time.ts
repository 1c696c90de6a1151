/** A formatter that gives the wall time of one time zone. */
type Clock = Intl.DateTimeFormat

export const clockOf = (timeZone: string): Clock => new Intl.DateTimeFormat('en-US', {
  timeZone,
  calendar: 'gregory',
  numberingSystem: 'latn',
  hourCycle: 'h23',
  year: 'numeric',
  month: 'numeric',
  day: 'numeric',
  hour: 'numeric',
  minute: 'numeric',
  second: 'numeric'
})

/** The offset of a time zone from UTC at an instant, in ms; positive east of UTC. */
function offsetAt (clock: Clock, instant: number): number {
  const parts = new Map(clock.formatToParts(instant).map(({ type, value }) => [type, Number(value)]))
  const of = (type: Intl.DateTimeFormatPartTypes): number => parts.get(type) ?? 0
  const wall = Date.UTC(of('year'), of('month') - 1, of('day'), of('hour'), of('minute'), of('second'))
  return wall - Math.floor(instant / 1000) * 1000
}

/**
 * Converts a wall time to an instant. When daylight saving time ends, some wall times occur twice: the first instant is
 * used. When it begins, some are skipped: they are moved forward by the length of the change.
 *
 * @param wall the wall time as if it were UTC, in ms since 1970
 */
export function instantOf (clock: Clock, wall: number): number {
  // A change of the offset is never within a day of another one, so these are the two possible offsets.
  const before = wall - offsetAt(clock, wall - DAY)
  const after = wall - offsetAt(clock, wall + DAY)
  const fits = [before, after].find(instant => instant + offsetAt(clock, instant) === wall)
  return fits ?? before
}

const DAY = 24 * 60 * 60 * 1000
