/** A scrape, read as Prometheus reads it: https://prometheus.io/docs/instrumenting/exposition_formats/ */
export interface Scrape {
  // Map(name -> type)
  readonly types: ReadonlyMap<string, string>
  readonly help: ReadonlyMap<string, string>
  readonly samples: readonly Sample[]
}

export interface Sample {
  /** With `_bucket`, `_sum` or `_count` where it is a part of a histogram. */
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

const SAMPLE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"(?:,|$)/y

/** @throws Error for a line that is none of this format */
export function parse (text: string): Scrape {
  const types = new Map<string, string>()
  const help = new Map<string, string>()
  const samples: Sample[] = []
  for (const line of text.split('\n').filter(line => line !== '' && line !== '# EOF')) {
    const [, kind, name = '', rest = ''] = /^# (TYPE|HELP) (\S+) (.*)$/.exec(line) ?? []
    if (kind === undefined) samples.push(sampleOf(line))
    else (kind === 'TYPE' ? types : help).set(name, rest)
  }
  return { types, help, samples }
}

function sampleOf (line: string): Sample {
  const [, name, labels = '', value] = SAMPLE.exec(line) ?? []
  if (name === undefined) throw new Error(`this is no sample: ${line}`)
  return { name, labels: labelsOf(labels, line), value: value === '+Inf' ? Infinity : Number(value) }
}

function labelsOf (text: string, line: string): Record<string, string> {
  const found: Record<string, string> = {}
  LABEL.lastIndex = 0
  while (LABEL.lastIndex < text.length) {
    const [, name, value] = LABEL.exec(text) ?? []
    if (name === undefined || value === undefined) throw new Error(`these are no labels: ${line}`)
    found[name] = value
  }
  return found
}

/** The metric that a sample is of: a histogram has three names for its samples. */
export function metricOf ({ types }: Scrape, sample: string): string | undefined {
  const base = sample.replace(/_(bucket|sum|count)$/, '')
  if (types.has(sample)) return sample
  return types.get(base) === 'histogram' ? base : undefined
}

/** The value of a sample; the sum of several where no label is given. `NaN` where there is none. */
export function valueOf ({ samples }: Scrape, name: string, labels: Readonly<Record<string, string>> = {}): number {
  const found = samples.filter(sample => sample.name === name && Object.entries(labels).every(([label, value]) => sample.labels[label] === value))
  return found.length === 0 ? NaN : found.reduce((sum, { value }) => sum + value, 0)
}
