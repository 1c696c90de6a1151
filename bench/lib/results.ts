import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { cpus, loadavg, release, totalmem, type } from 'node:os'
import type { Report } from './report.js'

const require = createRequire(import.meta.url)
const versionOf = (name: string): string => (require(`${name}/package.json`) as { version: string }).version

/** Where figures come from: without it they mean nothing. */
export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memoryGB: number
  readonly system: string
  readonly node: string
  readonly packages: Readonly<Record<string, string>>
}

export const machine = (packages: readonly string[], others: Machine['packages'] = {}): Machine => ({
  cpu: cpus()[0]?.model ?? 'unknown',
  cores: cpus().length,
  memoryGB: Math.round(totalmem() / 1024 ** 3),
  system: `${type()} ${release()}`,
  node: process.version,
  packages: { ...Object.fromEntries(packages.map(name => [name, versionOf(name)])), ...others }
})

export interface SectionResult extends Report {
  readonly at: string
  readonly runs: number
  /** How busy the machine was before, with whatever. */
  readonly loadBefore: number
}

export interface Results {
  readonly machine: Machine
  readonly sections: Readonly<Record<string, SectionResult>>
}

const folder = new URL('../results/', import.meta.url)
const fileOf = (name: string): URL => new URL(`${name}.json`, folder)

export function lastResults (name: string): Results | undefined {
  try {
    return JSON.parse(readFileSync(fileOf(name), 'utf8')) as Results
  } catch {
    return undefined
  }
}

/** Writes results; sections that were not run again stay, if they are of the same machine. @returns the file */
export function saveResults (name: string, machine: Machine, sections: Results['sections']): URL {
  const last = lastResults(name)
  const kept = last !== undefined && JSON.stringify(last.machine) === JSON.stringify(machine) ? last.sections : {}
  mkdirSync(folder, { recursive: true })
  writeFileSync(fileOf(name), JSON.stringify({ machine, sections: { ...kept, ...sections } }, null, 2) + '\n')
  return fileOf(name)
}

export const load = (): number => loadavg()[0] ?? NaN
