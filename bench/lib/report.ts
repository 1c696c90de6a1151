/** What a section has found out. */
export interface Report {
  readonly tables: readonly Table[]
  readonly targets: readonly Target[]
  /** Every figure of every run, for the file. */
  readonly figures: unknown
}

export interface Table {
  readonly title: string
  readonly columns: readonly string[]
  readonly rows: ReadonlyArray<readonly string[]>
}

/** A figure that must be reached. */
export interface Target {
  readonly what: string
  readonly limit: number
  readonly found: number
  readonly unit: string
  /** The figure must be as large as the limit; left out: no larger. */
  readonly isLeast?: boolean
}

export const isReached = ({ limit, found, isLeast = false }: Target): boolean => isLeast ? found >= limit : found <= limit

/** A number with as many digits as mean anything. */
export function shown (value: number): string {
  if (!Number.isFinite(value)) return '-'
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString('en-US')
  if (Math.abs(value) >= 100) return value.toFixed(0)
  return value.toFixed(Math.abs(value) >= 10 ? 1 : 2)
}

/** With a digit more, so that nothing looks reached that is not. */
const exactly = (value: number): string => Number.isInteger(value) || Math.abs(value) >= 10 ? shown(value) : value.toFixed(3)

/** In a table where not every target is a most, each says what it is. */
function limitShown ({ limit, unit, isLeast = false }: Target, isMixed: boolean): string {
  const sign = isLeast ? '≥ ' : '≤ '
  return `${isMixed ? sign : ''}${shown(limit)}${unit}`
}

function targetTable (targets: readonly Target[]): Table {
  const isMixed = targets.some(({ isLeast }) => isLeast)
  return {
    title: 'Targets',
    columns: ['', isMixed ? 'target' : 'at most', 'found', ''],
    rows: targets.map(target => [target.what, limitShown(target, isMixed), `${exactly(target.found)}${target.unit}`, isReached(target) ? 'ok' : 'NOT REACHED'])
  }
}

export const tablesOf = ({ tables, targets }: Report): Table[] => targets.length === 0 ? [...tables] : [...tables, targetTable(targets)]

const isNumber = (cell: string): boolean => /^([≤≥] )?[-\d]/.test(cell)

export function asText ({ title, columns, rows }: Table): string {
  const widths = columns.map((column, index) => Math.max(column.length, ...rows.map(row => (row[index] ?? '').length)))
  const line = (cells: readonly string[]): string => cells.map((cell, index) => {
    const width = widths[index] ?? 0
    return index > 0 && (isNumber(rows[0]?.[index] ?? '') || isNumber(cell)) ? cell.padStart(width) : cell.padEnd(width)
  }).join('  ').trimEnd()
  return [title, line(columns), widths.map(width => '-'.repeat(width)).join('  '), ...rows.map(line), ''].join('\n')
}

export function asMarkdown ({ title, columns, rows }: Table): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  const ruler = columns.map((_, index) => index > 0 && isNumber(rows[0]?.[index] ?? '') ? '---:' : '---')
  return [`**${title}**`, '', line(columns), line(ruler), ...rows.map(line), ''].join('\n')
}
