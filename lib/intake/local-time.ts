/** Of each zone, what tells its wall time. */
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

/** How far the wall clocks of a zone are ahead of UTC at an instant, in ms. */
function offsetAt (clock: Clock, instant: number): number {
  const parts = new Map(clock.formatToParts(instant).map(({ type, value }) => [type, Number(value)]))
  const of = (type: Intl.DateTimeFormatPartTypes): number => parts.get(type) ?? 0
  const wall = Date.UTC(of('year'), of('month') - 1, of('day'), of('hour'), of('minute'), of('second'))
  return wall - Math.floor(instant / 1000) * 1000
}

/**
 * The instant at which a zone's wall clocks show a time. One that they show twice, when summer time ends, is the first
 * of the two; one that they skip is as far after the change as it was to be.
 *
 * @param wall the time on the clock, as if it were UTC, in ms since 1970
 */
export function instantOf (clock: Clock, wall: number): number {
  // A day before and after any change of its clocks, a zone has the two offsets that it may have now.
  const before = wall - offsetAt(clock, wall - DAY)
  const after = wall - offsetAt(clock, wall + DAY)
  const fits = [before, after].find(instant => instant + offsetAt(clock, instant) === wall)
  return fits ?? before
}

const DAY = 24 * 60 * 60 * 1000
