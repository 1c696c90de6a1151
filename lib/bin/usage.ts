/** The text of `--help`. */
export const USAGE = `npx fastify-ws-events [--port N]        a server that plays recorded events, with the monitor
npx fastify-ws-events serve             a server for production, beside an Evolution API
npx fastify-ws-events migrate [FILE]    read an Evolution API .env, and print what to set here and there

  FILE         default: .env in this folder. It is only read, and no key of it is printed
  --port N     the port to listen on, 0 for any that is free (default: PORT, else 8080)
  --lang L     of migrate: en or pt (default: by LANG)
  --help, -h   this text
  --version    the version

Both servers read .env in this folder: WEBSOCKET_GLOBAL_EVENTS, AUTHENTICATION_API_KEY and so on; HOST and PORT too.
serve needs AUTHENTICATION_API_KEY. EVOLUTION_API_URL is where it checks the keys of instances.

Exit code: 0 after Ctrl-C or SIGTERM, 1 if something failed, 2 for a wrong argument or variable, 3 if the port is in use, 4 if FILE cannot be read.`
