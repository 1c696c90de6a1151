import { Type, type EventTypesOf } from 'fastify-ws-events'

/** The events of this application. An `emit` of any other, or with other data, is an error. */
export const events = {
  'order.paid': Type.Object({ id: Type.String(), cents: Type.Integer({ minimum: 0 }) }),
  'order.sent': Type.Object({ id: Type.String(), parcel: Type.String() })
}

// From here on the compiler checks each emit, too.
declare module 'fastify-ws-events' {
  interface EventTypes extends EventTypesOf<typeof events> {}
}
