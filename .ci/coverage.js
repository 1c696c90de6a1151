// Ends `npm run test:coverage`: fails when the lines of lib/ that the tests have run are too few.
import { readFileSync } from 'node:fs'

const LEAST = 95
const REPORT = '.tap/report/coverage-summary.json'

function lineCoverage () {
  const { covered, total } = JSON.parse(readFileSync(new URL(`../${REPORT}`, import.meta.url), 'utf8')).total.lines
  if (total === 0) throw new Error(`${REPORT} counts no lines: did the tests load lib/?`)
  // Rounded down, so that 94.996 is not shown as the 95 that it is not.
  return Math.floor(covered / total * 10_000) / 100
}

const coverage = lineCoverage()
if (coverage < LEAST) {
  console.error(`line coverage: ${coverage} %, and ${LEAST} % is the least`)
  process.exitCode = 1
} else {
  console.log(`line coverage: ${coverage} %`)
}
