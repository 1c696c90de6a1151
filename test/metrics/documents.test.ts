import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { collectDefaultMetrics } from 'prom-client'
import t from 'tap'
import { parse as parseYaml, stringify } from 'yaml'
import { atPort, block, folder, read, root, section } from '../helpers/documents.js'
import { freePort, Program } from '../helpers/program.js'
import { keepBusy, startMeasured } from './busy.js'
import { metricOf, parse, type Scrape } from './exposition.js'

const DOCUMENT = read('docs/metrics.md')
/** What Prometheus itself puts to all that it scrapes. */
const TARGET_LABELS = ['job', 'instance']

/** What is scraped after something of everything has happened, and its text. */
const { text, scrape } = await new Promise<{ text: string, scrape: Scrape }>(resolve => {
  void t.test('a server that has been used is scraped', async t => {
    const server = await startMeasured(t, { limits: { queuedBytes: 300_000 } })
    await keepBusy(t, server)
    const text = await server.scrape()
    t.match(text, 'ws_events_')
    resolve({ text, scrape: parse(text) })
  })
})

const withoutPromtool = spawnSync('promtool', ['--version']).error !== undefined && 'promtool is missing: it is in the package prometheus of Debian, and in the archives of prometheus.io'

t.test('promtool finds nothing to say of the metrics', { skip: withoutPromtool }, async t => {
  const check = (input: string) => spawnSync('promtool', ['check', 'metrics'], { input, encoding: 'utf8' })
  const { status, stdout, stderr } = check(text)
  t.equal(stdout + stderr, '')
  t.equal(status, 0)
  t.not(check('# HELP x_total Wrong.\n# TYPE x_total gauge\nx_total 1\n').status, 0, 'and it would')
})

t.test('names, types and units are as Prometheus asks for', async t => {
  for (const [name, type] of scrape.types) {
    t.match(name, /^ws_events_[a-z_]+$/, name)
    t.equal(name.endsWith('_total'), type === 'counter', `${name}: _total is for counters`)
    t.match(scrape.help.get(name), /^[A-Z].*\.$/, `${name}: a sentence of help`)
    // Base units, written out, at the end.
    t.notMatch(name, /milli|_ms\b|_kb\b|kilo|mega|minute|hour/, name)
    t.notMatch(name, /(bytes|seconds)_(?!total)/, `${name}: the unit is the end`)
  }
  t.strictSame(new Set(scrape.samples.map(({ name }) => metricOf(scrape, name))), new Set(scrape.types.keys()), 'each sample has its type, and each metric a sample')
  t.notOk(scrape.samples.some(({ value }) => Number.isNaN(value)))
  const shown = scrape.samples.map(({ name, labels }) => `${name} ${JSON.stringify(labels)}`)
  t.equal(new Set(shown).size, shown.length, 'no series is there twice')
})

t.test('no label has a name in it that a client or an application could choose without bound', async t => {
  const labels = new Map<string, Set<string>>()
  for (const sample of scrape.samples) for (const [label, value] of Object.entries(sample.labels)) labels.set(label, (labels.get(label) ?? new Set()).add(value))
  t.strictSame([...labels.keys()].toSorted(), ['code', 'event', 'le', 'limit', 'namespace', 'outcome', 'reason'])
  t.notMatch(text, /acme|nobody|127\.0\.0\.1/, 'instances and addresses that were used')
  t.notOk(labels.get('event')?.has('cal'), 'an event that is unknown')
})

/** The labels of a metric's samples, but for that of a histogram's buckets. */
const labelsOf = (metric: string): string[] =>
  [...new Set(scrape.samples.filter(({ name }) => metricOf(scrape, name) === metric).flatMap(({ labels }) => Object.keys(labels)))].filter(label => label !== 'le')

t.test('the document has every metric, with its type, its label and their values', async t => {
  const rows = [...section(DOCUMENT, '## Metrics').matchAll(/^\| `(ws_events_\w+)` \| (\w+) \| (?:`(\w+)`)? ?\| (.*) \|$/gm)]
  t.strictSame(rows.map(([, name, type]) => [name, type]).toSorted(), [...scrape.types].toSorted())
  for (const [, name = '', , label, meaning = ''] of rows) {
    t.strictSame(labelsOf(name), label === undefined ? [] : [label], name)
    if (label === undefined || ['event', 'code', 'limit'].includes(label)) continue
    for (const value of new Set(scrape.samples.filter(sample => sample.name === name).map(({ labels }) => labels[label] ?? ''))) t.ok(meaning.includes(`\`${value}\``), `${name}: ${value}`)
  }
})

/** What an expression asks for: each metric, with the labels that it selects or groups by. */
function asked (expression: string): Array<{ metric: string, labels: string[] }> {
  const grouped = [...expression.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, labels = '']) => labels.split(/,\s*/))
  return [...expression.matchAll(/\b(ws_events_\w+)(?:\{([^}]*)\})?/g)].map(([, metric = '', selected = '']) => ({
    metric,
    labels: [...grouped, ...[...selected.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g)].map(([, label = '']) => label)]
  }))
}

/** What is wrong with an expression: a metric or a label that no scrape has, or a value that a label never has. */
function faults (expression: string): string[] {
  return asked(expression).flatMap(({ metric, labels }) => {
    const samples = scrape.samples.filter(({ name }) => name === metric)
    if (samples.length === 0) return [`no metric ${metric}`]
    return labels.filter(label => !TARGET_LABELS.includes(label) && samples.every(sample => !(label in sample.labels))).map(label => `${metric} has no label ${label}`)
  })
}

interface Panel {
  readonly type: string
  readonly title: string
  readonly datasource?: { readonly uid: string }
  readonly gridPos: { readonly x: number, readonly y: number, readonly w: number, readonly h: number }
  readonly targets?: ReadonlyArray<{ readonly expr: string, readonly legendFormat: string, readonly datasource: { readonly uid: string } }>
}

interface Dashboard {
  readonly panels: readonly Panel[]
  readonly templating: { readonly list: ReadonlyArray<{ readonly name: string, readonly type: string, readonly query: unknown, readonly definition?: string }> }
}

const dashboard = JSON.parse(read('docs/grafana/fastify-ws-events.json')) as Dashboard

t.test('the dashboard asks for every metric, and for nothing that there is not', async t => {
  const targets = dashboard.panels.flatMap(({ targets = [] }) => targets)
  for (const { expr, legendFormat } of targets) {
    t.strictSame(faults(expr), [], expr)
    for (const [, label = ''] of legendFormat.matchAll(/\{\{(\w+)\}\}/g)) t.ok(TARGET_LABELS.includes(label) || asked(expr).some(({ labels }) => labels.includes(label)), `${expr}: the legend has ${label}`)
  }
  const shown = new Set(targets.flatMap(({ expr }) => asked(expr)).map(({ metric }) => metricOf(scrape, metric)))
  t.strictSame(shown, new Set(scrape.types.keys()))
  for (const { definition } of dashboard.templating.list) t.strictSame(faults(definition ?? ''), [])
  t.strictSame(faults('sum by (codes) (rate(ws_events_refused_total{reason="x"}[5m]))'), ['ws_events_refused_total has no label codes', 'ws_events_refused_total has no label reason'], 'a mistake is found')
  t.strictSame(faults('ws_events_refusals_total'), ['no metric ws_events_refusals_total'])
})

t.test('the dashboard takes any data source, and its panels do not lie on each other', async t => {
  const names = dashboard.templating.list.map(({ name }) => name)
  t.equal(dashboard.templating.list[0]?.type, 'datasource')
  const variable = names[0] ?? ''
  const panels = dashboard.panels.filter(({ type }) => type !== 'row')
  for (const { title, datasource, targets = [] } of panels) {
    t.strictSame(new Set([datasource, ...targets.map(target => target.datasource)].map(source => source?.uid)), new Set([`$\{${variable}}`]), title)
    for (const { expr } of targets) for (const [, name = ''] of expr.matchAll(/\$(\w+)/g)) t.ok(name === '__rate_interval' || names.includes(name), `${title}: $${name}`)
  }
  const cells = dashboard.panels.flatMap(({ gridPos: { x, y, w, h } }) => Array.from({ length: w * h }, (empty, at) => `${x + at % w},${y + Math.floor(at / w)}`))
  t.equal(new Set(cells).size, cells.length)
  t.ok(dashboard.panels.every(({ gridPos: { x, w } }) => x + w <= 24))
})

interface Rules {
  readonly groups: ReadonlyArray<{ readonly name: string, readonly rules: readonly Rule[] }>
}

interface Rule {
  readonly alert: string
  readonly expr: string
  readonly for?: string
  readonly labels: { readonly severity: string }
  readonly annotations: { readonly summary: string, readonly runbook: string }
}

const ALERTS = 'docs/prometheus/alerts.yml'
const { groups } = parseYaml(read(ALERTS)) as Rules
const rules = groups.flatMap(({ rules }) => rules)

/** What is wrong with the values that an expression asks of labels: one that no scrape has. */
function unknownValues (expression: string): string[] {
  return [...expression.matchAll(/(\w+)\s*(?:=~|!~|!=|=)\s*"([^"]*)"/g)].flatMap(([, label = '', values = '']) => {
    const known = new Set(scrape.samples.map(({ labels }) => labels[label]))
    return values.split('|').filter(value => !known.has(value)).map(value => `${label} is never ${value}`)
  })
}

t.test('the alerts ask for metrics, labels and values that there are', async t => {
  t.ok(rules.length > 10)
  for (const { alert, expr, annotations: { summary } } of rules) {
    t.not(asked(expr).length, 0, alert)
    t.strictSame(faults(expr), [], alert)
    t.strictSame(unknownValues(expr), [], alert)
    // What an expression groups by is what is left of its labels.
    const grouped = [...expr.matchAll(/\bby \(([^)]*)\)/g)].map(([, labels = '']) => labels.split(/,\s*/))
    for (const [, label = ''] of summary.matchAll(/\$labels\.(\w+)/g)) t.ok(grouped.length === 0 ? TARGET_LABELS.includes(label) : grouped.every(labels => labels.includes(label)), `${alert}: ${label}`)
  }
  t.strictSame(unknownValues('x{code=~"FORBIDDEN|FORBIDEN"}'), ['code is never FORBIDEN'], 'a mistake is found')
})

t.test('each alert has its entry in the runbook, and each entry its alert', async t => {
  for (const file of ['docs/operating.md', 'docs/operating.pt-BR.md'].filter(file => existsSync(join(root, file)))) {
    t.strictSame([...read(file).matchAll(/^### (WsEvents\w+)$/gm)].map(([, name]) => name), rules.map(({ alert }) => alert), `${file}, in the same order`)
  }
  for (const { alert, labels: { severity }, annotations: { runbook } } of rules) {
    t.equal(runbook, `docs/operating.md#${alert.toLowerCase()}`)
    t.ok(['critical', 'warning'].includes(severity), alert)
  }
})

/** Series that have one alert fire, as promtool writes them: a value, and what it grows by each minute. */
const FIRES: Readonly<Record<string, ReadonlyArray<readonly [series: string, values: string]>>> = {
  WsEventsNoMetrics: [],
  WsEventsStoreAway: [['ws_events_store_available', '0x40']],
  WsEventsPending: [['ws_events_store_pending_events', '1001x40']],
  WsEventsNotStored: [['ws_events_rejected_total{code="PENDING_FULL"}', '0+1x40']],
  WsEventsRejected: [['ws_events_rejected_total{code="UNKNOWN_EVENT"}', '0+1x40']],
  WsEventsSkipped: [['ws_events_skipped_total{reason="not-set"}', '0+1x40']],
  WsEventsWebhooksSkipped: [['ws_events_webhooks_skipped_total{reason="unknown-event"}', '0+1x40']],
  WsEventsDeliveryLate: [['ws_events_delivery_lag_seconds_bucket{le="1"}', '0+98x40'], ['ws_events_delivery_lag_seconds_bucket{le="2.5"}', '0+100x40'], ['ws_events_delivery_lag_seconds_bucket{le="+Inf"}', '0+100x40']],
  WsEventsSlowClients: [['ws_events_slow_closes_total', '0+10x40']],
  WsEventsGaps: [['ws_events_resumed_total{outcome="gap"}', '0+10x40']],
  WsEventsReconnects: [['ws_events_admitted_total', '0+250x40'], ['ws_events_clients{namespace="instance"}', '200x40']],
  WsEventsLimits: [['ws_events_limited_total{limit="connections"}', '0+1x40']],
  WsEventsKeysRefused: [['ws_events_refused_total{code="FORBIDDEN"}', '0+70x40']],
  WsEventsVerifyFails: [['ws_events_refused_total{code="VERIFY_FAILED"}', '0+1x40']]
}

/** Of a server that works: clients come and go, some are refused, and there was a deploy. */
const WORKS = [
  ['ws_events_store_available', '1x40'],
  ['ws_events_store_pending_events', '10x40'],
  ['ws_events_rejected_total{code="CLOSED"}', '0+5x40'],
  ['ws_events_skipped_total{reason="filtered"}', '0+100x40'],
  ['ws_events_webhooks_skipped_total{reason="removed"}', '0+1x40'],
  ['ws_events_delivery_lag_seconds_bucket{le="0.5"}', '0+100x40'],
  ['ws_events_delivery_lag_seconds_bucket{le="+Inf"}', '0+100x40'],
  ['ws_events_slow_closes_total', '0+1x40'],
  ['ws_events_resumed_total{outcome="gap"}', '0+1x40'],
  ['ws_events_resumed_total{outcome="recovered"}', '0+500x40'],
  ['ws_events_admitted_total', '0+500x40'],
  ['ws_events_clients{namespace="instance"}', '1000x40'],
  ['ws_events_limited_total{limit="queuedBytes"}', '0+1x40'],
  ['ws_events_refused_total{code="FORBIDDEN"}', '0+1x40'],
  ['ws_events_refused_total{code="NOT_SET"}', '0+90x40']
] as const

t.test('each alert fires for what it is there for, and none for a server that works', { skip: withoutPromtool }, async t => {
  t.strictSame(Object.keys(FIRES), rules.map(({ alert }) => alert))
  const input = (series: ReadonlyArray<readonly [string, string]>) => series.map(([name, values]) => ({
    series: name.includes('{') ? name.replace('{', '{job="events",instance="a",') : `${name}{job="events",instance="a"}`,
    values
  }))
  const scenario = (series: ReadonlyArray<readonly [string, string]>, firing: readonly string[]) => ({
    interval: '1m',
    input_series: input(series),
    promql_expr_test: [{
      expr: 'count by (alertname) (ALERTS{alertstate="firing"})',
      eval_time: '35m',
      exp_samples: firing.map(alert => ({ labels: `{alertname="${alert}"}`, value: 1 }))
    }]
  })
  // Without that series everything else is silent, but that there are no metrics at all.
  const available = (alert: string): ReadonlyArray<readonly [string, string]> =>
    ['WsEventsNoMetrics', 'WsEventsStoreAway'].includes(alert) ? [] : [['ws_events_store_available', '1x40']]
  const tests = [
    scenario(WORKS, []),
    ...Object.entries(FIRES).map(([alert, series]) => scenario([...available(alert), ...series], [alert]))
  ]
  const directory = folder(t, [['alerts.yml', read(ALERTS)], ['test.yml', stringify({ rule_files: ['alerts.yml'], evaluation_interval: '1m', tests })]])
  const { status, stdout, stderr } = spawnSync('promtool', ['test', 'rules', 'test.yml'], { cwd: directory, encoding: 'utf8' })
  t.equal(status, 0, stdout + stderr)
})

t.test('promtool takes the alerts', { skip: withoutPromtool }, async t => {
  const { status, stdout, stderr } = spawnSync('promtool', ['check', 'rules', join(root, ALERTS)], { encoding: 'utf8' })
  t.equal(status, 0, stdout + stderr)
  t.match(stdout, `${rules.length} rules found`)
})

t.test('the server of the document is scraped, and tells of a refusal as the document has it', async t => {
  const port = await freePort()
  const server = atPort(block(section(DOCUMENT, '## Metrics'), 'js'), port)
  const listener = block(section(DOCUMENT, '## Tracing'), 'js')
  const directory = folder(t, [['server.mjs', `${listener}\n${server}\nconsole.log('listening')\n`]], ['fastify', 'fastify-ws-events', 'prom-client'])
  const program = new Program(t, process.execPath, ['server.mjs'], { cwd: directory })
  await program.printed(lines => lines.includes('listening'))
  const answer = await fetch(`http://localhost:${port}/metrics`)
  t.match(answer.headers.get('content-type'), 'version=0.0.4')
  t.strictSame([...parse(await answer.text()).types], [...scrape.types])
  const { io } = await import('socket.io-client')
  const socket = io(`http://localhost:${port}/acme`)
  t.teardown(() => { socket.disconnect() })
  await program.printed(lines => lines.some(line => /^(127\.0\.0\.1|::1) was refused at acme: FST_ERR_WS_EVENTS_NOT_SET$/.test(line)))
})

t.test("metrics of the process, which are the application's, go beside ours", async t => {
  const { registry, scrape } = await startMeasured(t)
  collectDefaultMetrics({ register: registry })
  t.match(await scrape(), /^process_cpu_seconds_total /m)
})
