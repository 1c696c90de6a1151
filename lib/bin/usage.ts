/** What `--help` prints. */
export const USAGE = `npx fastify-ws-events [--port N]        a server that plays recorded events, with the monitor
npx fastify-ws-events migrate [FILE]    read an Evolution API .env, and say what changes

  FILE         default: .env in this folder. It is only read, and no key of it is printed
  --port N     the port to listen on, 0 for any that is free (default: PORT, else 8080)
  --help, -h   this text
  --version    the version

The server reads .env in this folder: WEBSOCKET_GLOBAL_EVENTS, AUTHENTICATION_API_KEY and so on; HOST and PORT too.

Exit code: 0 after Ctrl-C, 1 if something failed, 2 for wrong arguments, 3 if the port is in use, 4 if FILE cannot be read.`
