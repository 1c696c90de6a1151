import neostandard, { plugins } from 'neostandard'

// Module specifiers, told apart by regular expressions: a gitignore-like group would also match our own folders.
const FASTIFY = { regex: '^(fastify|@fastify)([-/]|$)', message: 'This room is pure: it knows neither Fastify nor its plugins.' }
const SOCKETS = {
  regex: '^((fastify-)?socket\\.io([-/]|$)|@socket\\.io/|engine\\.io([-/]|$)|ws(/|$))',
  message: 'Only lib/gateway/ knows Socket.IO.'
}
const SERVER = {
  regex: '^((fastify-)?socket\\.io(-(?!client$)|/|$)|@socket\\.io/|engine\\.io([-/]|$)|ws(/|$))',
  message: 'A browser knows only socket.io-client.'
}
const NODE = { regex: '^node:', message: 'A browser has nothing of Node.' }
const GATEWAY = { regex: '(^|/)gateway/', message: 'Data goes down and never comes back up: this room does not know the gateway.' }
const OUTSIDE = { regex: '^\\.{1,2}/(.*/)?(test|example|bench)(/|$)', message: 'What is published does not depend on what is not.' }
const PROCESS_ENV = 'Only lib/options.ts reads the environment.'

// A line may be longer when all that it has is a text: of an error, of the log, of a description.
const TEXT = String.raw`(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|\x60(?:[^\x60\\]|\\.)*\x60)`
const BEFORE_TEXT = String.raw`(?:(?:return|[?:]|(?:export )?const \w+ =|\w+:) )?`
const MAX_LEN = { code: 120, ignorePattern: String.raw`^\s*${BEFORE_TEXT}${TEXT}(?: \+|[,;)]*)$` }

const maxLines = max => ['error', { max, skipBlankLines: true, skipComments: true }]

// A rule that is set again replaces what was set before, so each room states its borders in full.
function borders ({ without, environment = false }) {
  return {
    'no-restricted-imports': ['error', {
      patterns: [OUTSIDE, ...without],
      paths: environment ? [] : ['process', 'node:process'].map(name => ({ name, importNames: ['env'], message: PROCESS_ENV }))
    }],
    // The rule above does not see import().
    'no-restricted-syntax': ['error',
      ...[OUTSIDE, ...without].map(({ regex, message }) => ({ selector: `ImportExpression[source.value=/${regex.replaceAll('/', '\\/')}/]`, message })),
      ...(environment ? [] : [{ selector: 'VariableDeclarator[init.name="process"] > ObjectPattern > Property[key.name="env"]', message: PROCESS_ENV }])
    ],
    'n/no-process-env': environment ? 'off' : 'error'
  }
}

export default [
  ...neostandard({ ts: true, filesTs: ['**/*.tsx'], noJsx: true, ignores: ['dist/', '.tap/', 'coverage/'] }),
  {
    name: 'all',
    // `void promise` says that nobody waits for it, see no-floating-promises.
    rules: { 'no-void': ['error', { allowAsStatement: true }] }
  },
  {
    name: 'lib/types',
    files: ['lib/**/*.ts', 'lib/**/*.tsx'],
    plugins: { '@typescript-eslint': plugins['typescript-eslint'].plugin },
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      'no-console': 'error',
      '@typescript-eslint/await-thenable': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-empty-object-type': 'error',
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/no-non-null-assertion': 'error',
      '@typescript-eslint/no-unnecessary-type-assertion': 'error',
      '@typescript-eslint/only-throw-error': 'error',
      '@typescript-eslint/prefer-promise-reject-errors': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }]
    }
  },
  {
    name: 'lib/size',
    files: ['lib/**/*.ts', 'lib/**/*.tsx'],
    rules: { 'max-len': ['error', MAX_LEN], 'max-lines-per-function': maxLines(60) }
  },
  {
    // A table: each line is a text in every language.
    name: 'lib/texts',
    files: ['lib/monitor/page/texts.ts'],
    rules: { 'max-len': 'off' }
  },
  {
    // Templates of several lines: scripts in Lua, and texts that keep the lines that their readers see.
    name: 'lib/templates',
    files: ['lib/stores/redis/scripts.ts', 'lib/asyncapi/texts.ts', 'lib/bin/usage.ts'],
    rules: { 'max-len': ['error', { ...MAX_LEN, ignoreTemplateLiterals: true }] }
  },
  // The borders of docs/architecture.md; test/long/borders.test.ts shows that they bite.
  { name: 'borders/lib', files: ['lib/**'], rules: borders({ without: [SOCKETS] }) },
  { name: 'borders/options', files: ['lib/options.ts'], rules: borders({ without: [SOCKETS], environment: true }) },
  // A program of its own, which the plugin does not know.
  { name: 'borders/bin', files: ['lib/bin/**'], rules: borders({ without: [SOCKETS], environment: true }) },
  { name: 'borders/pure', files: ['lib/{events,log,stores}/**'], rules: borders({ without: [FASTIFY, SOCKETS, GATEWAY] }) },
  { name: 'borders/client', files: ['lib/client/**'], rules: borders({ without: [FASTIFY, SERVER, NODE, GATEWAY] }) },
  { name: 'borders/gateway', files: ['lib/gateway/**'], rules: borders({ without: [] }) }
]
