import { useEffect, useRef } from 'preact/hooks'
import Plot from 'uplot'
import { clock, number } from '../texts.js'

/** A small line of values, the oldest first. */
export function Spark ({ values, label }: { values: readonly number[], label: string }) {
  if (values.length === 0) return <svg class='spark' role='img' aria-label={label} />
  const most = Math.max(1, ...values)
  const points = values.map((value, at) => `${at * 2},${(22 - value / most * 20).toFixed(1)}`)
  return (
    <svg class='spark' viewBox='0 0 118 24' preserveAspectRatio='none' role='img' aria-label={label}>
      <path class='area' d={`M0,24L${points.join('L')}L118,24Z`} />
      <path class='stroke' d={`M${points.join('L')}`} />
    </svg>
  )
}

interface ChartProps {
  /** Times in ms since 1970. */
  readonly times: readonly number[]
  readonly values: readonly number[]
  readonly label: string
  readonly format?: (value: number) => string
}

const HEIGHT = 150

/** A value over time. Made anew when its colours change. */
export function Chart ({ times, values, label, format = value => number(value, 1) }: ChartProps) {
  const place = useRef<HTMLDivElement>(null)
  const plot = useRef<Plot | null>(null)
  const { theme = '' } = document.documentElement.dataset
  useEffect(() => {
    const { current } = place
    if (current === null) return
    const made = plot.current = new Plot(optionsOf(current, format), [[], []], current)
    const observer = new ResizeObserver(() => { made.setSize({ width: current.clientWidth, height: HEIGHT }) })
    observer.observe(current)
    return () => {
      observer.disconnect()
      made.destroy()
      plot.current = null
    }
  }, [theme, matchMedia('(prefers-color-scheme: dark)').matches])
  useEffect(() => { plot.current?.setData([times.map(time => time / 1000), [...values]]) })
  return <div class='plot' ref={place} role='img' aria-label={`${label}: ${format(values.at(-1) ?? 0)}`} />
}

/** A colour of the style as a canvas takes it. */
function resolved (place: HTMLElement, name: string): string {
  const probe = document.createElement('i')
  probe.style.color = `var(${name})`
  place.append(probe)
  const found = getComputedStyle(probe).color
  probe.remove()
  return found
}

const clockOf = (second: number): string => clock(second * 1000)

function optionsOf (place: HTMLElement, format: (value: number) => string): Plot.Options {
  const [ink = '', line = '', accent = ''] = ['--soft', '--line', '--accent'].map(name => resolved(place, name))
  const font = '12px system-ui, sans-serif'
  const axis = { stroke: ink, grid: { stroke: line, width: 1 }, ticks: { show: false }, font }
  return {
    width: place.clientWidth,
    height: HEIGHT,
    cursor: { show: false },
    legend: { show: false },
    scales: { y: { range: (_, __, most) => [0, Math.max(most * 1.1, 1)] } },
    series: [{}, { stroke: accent, width: 2, points: { show: false } }],
    axes: [
      { ...axis, space: 90, size: 28, values: (_, seconds) => seconds.map(clockOf) },
      { ...axis, space: 30, size: 56, values: (_, values) => values.map(format) }
    ]
  }
}
