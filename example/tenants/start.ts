import { buildApp } from './app.ts'

const adminKey = process.env.ADMIN_KEY
if (adminKey === undefined) throw new Error('ADMIN_KEY is not set')

const app = await buildApp({ adminKey, wsEvents: { store: 'memory:' } })
console.log(await app.listen({ port: Number(process.env.PORT ?? 8080) }))
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => { void app.close() })
