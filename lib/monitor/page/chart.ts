import Plot from 'uplot'
import { make } from './dom.js'
import { text } from './texts.js'

/** Seconds that are shown. */
const SPAN = 120
const HEIGHT = 180
/** Of mid lightness, so that they can be told from light and dark ground, and from each other. */
const COLOURS = ['#0e9f8e', '#d9730d', '#5b7fff', '#c2418f', '#8a9a1c', '#8f62d9']
const OTHERS = '#8a9494'

/** Events per second, by event. The names that came most have a line each, the rest one together. */
export class Chart {
  readonly #place: HTMLElement
  readonly #counts: HTMLElement
  // Map(event -> how many have come)
  readonly #totals = new Map<string, number>()
  // Map(second -> event -> how many came in it)
  readonly #seconds = new Map<number, Map<string, number>>()
  #plot: Plot | undefined
  #drawn = ''

  constructor (place: HTMLElement, counts: HTMLElement) {
    this.#place = place
    this.#counts = counts
    new ResizeObserver(() => { this.#plot?.setSize({ width: this.#width, height: HEIGHT }) }).observe(place)
  }

  get #width (): number {
    return Math.max(this.#place.clientWidth, 200)
  }

  add (event: string): void {
    const second = Math.floor(Date.now() / 1000)
    const counts = this.#seconds.get(second) ?? new Map<string, number>()
    this.#seconds.set(second, counts.set(event, (counts.get(event) ?? 0) + 1))
    this.#totals.set(event, (this.#totals.get(event) ?? 0) + 1)
  }

  clear (): void {
    this.#totals.clear()
    this.#seconds.clear()
  }

  draw (): void {
    const now = Math.floor(Date.now() / 1000)
    for (const second of this.#seconds.keys()) {
      if (second >= now - SPAN) break
      this.#seconds.delete(second)
    }
    const names = [...this.#totals.keys()]
      .sort((a, b) => (this.#totals.get(b) ?? 0) - (this.#totals.get(a) ?? 0))
      .slice(0, COLOURS.length)
    const x = Array.from({ length: SPAN }, (_, at) => now - SPAN + at)
    const lines = names.map(name => x.map(second => this.#seconds.get(second)?.get(name) ?? 0))
    const others = x.map(second =>
      [...this.#seconds.get(second) ?? []].reduce((sum, [name, count]) => names.includes(name) ? sum : sum + count, 0))
    this.#plotOf(names).setData([x, ...lines, others])
    this.#list(names)
  }

  /** Made anew when there are other lines, or other colours. */
  #plotOf (names: readonly string[]): Plot {
    const ink = getComputedStyle(this.#place).color
    const wanted = [ink, ...names].join()
    if (this.#plot !== undefined && this.#drawn === wanted) return this.#plot
    this.#plot?.destroy()
    this.#drawn = wanted
    const axis = { stroke: ink, space: 90, grid: { stroke: `${OTHERS}40`, width: 1 }, ticks: { show: false } }
    const line = (label: string, stroke: string) => ({ label, stroke, width: 2, points: { show: false } })
    this.#plot = new Plot({
      width: this.#width,
      height: HEIGHT,
      cursor: { show: false },
      legend: { show: false },
      scales: { y: { range: (_, __, most) => [0, Math.max(most, 1)] } },
      series: [{}, ...names.map((name, at) => line(name, COLOURS[at] ?? OTHERS)), line('', OTHERS)],
      axes: [{ ...axis, values: (_, seconds) => seconds.map(clock) }, { ...axis, space: 30, size: 45 }]
    }, [[], ...names.map(() => []), []], this.#place)
    this.#place.setAttribute('aria-label', text('chartOf'))
    return this.#plot
  }

  #list (names: readonly string[]): void {
    const all = [...this.#totals.values()].reduce((sum, count) => sum + count, 0)
    const named = names.map((name, at) => [name, this.#totals.get(name) ?? 0, COLOURS[at] ?? OTHERS] as const)
    const rest = all - named.reduce((sum, [, count]) => sum + count, 0)
    const shown = [...named, ...rest > 0 ? [[text('others'), rest, OTHERS] as const] : []]
    this.#counts.replaceChildren(...shown.map(([name, count, colour]) => {
      const mark = make('i')
      // Not as an attribute, which the page's policy forbids.
      mark.style.background = colour
      const words = `${name} ${count.toLocaleString(document.documentElement.lang)}`
      return make('li', {}, mark, document.createTextNode(words))
    }), make('li', { text: text('total', { count: all.toLocaleString(document.documentElement.lang) }) }))
  }
}

const clock = (second: number): string =>
  new Date(second * 1000).toLocaleTimeString(document.documentElement.lang, { hour12: false })
