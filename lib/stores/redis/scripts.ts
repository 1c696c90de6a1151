import { hash } from 'node:crypto'

/**
 * The version of the format of all keys of a store. It is in the field `format` of the log; a log without one is of
 * format 1, and gets it from the first node that attaches.
 */
export const FORMAT = '1'

/** A script that runs inside Redis, as one step: nobody sees it half done, and it is kept as a whole or not at all. */
export interface Script {
  readonly name: string
  readonly lua: string
  /** What Redis calls it by. */
  readonly sha: string
}

const script = (name: string, ...parts: readonly string[]): Script => {
  const lua = parts.join('\n')
  return { name, lua, sha: hash('sha1', lua) }
}

// A position is an id as Redis knows it, `ms-number`: that of its stream entries. What the
// epoch is, is known once for all.
const POSITIONS = `
local function parse (position)
  local time, number = string.match(position, '^(%d+)-(%d+)$')
  return tonumber(time), tonumber(number)
end
local function show (time, number) return string.format('%.0f-%.0f', time, number) end
local function isAfter (a, b)
  local at, an = parse(a)
  local bt, bn = parse(b)
  return at > bt or (at == bt and an > bn)
end
local function clock ()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
-- The next position: greater than the last one, also when the clock was set back. An id has room for 36^4 numbers.
local function nextTo (last, now)
  local time, number = parse(last)
  if now > time then return now, 0 end
  if number > 1600000 then return time + 1, 0 end
  return time, number + 1
end
`

/**
 * Looks after the log's incarnation. A server that is not the one of before (restarted, failed over) may have lost the
 * newest events: the break is noted, with the newest that is still there, and each node then gives its high-water mark.
 * A node whose mark is higher, or that finds nothing at all, starts a new epoch.
 *
 * KEYS: the log
 * ARGV: an epoch to be used if a new one is needed; the high-water mark of this node: its epoch, incarnation and
 *   position, or ''; a channel to publish to, or ''; a number for it
 * Returns: format, epoch, incarnation, last, birth, version of Redis; and for who attaches, which keys it drops when
 *   its memory is full. Where the log has another format: that alone, and nothing is changed
 *
 * In the log: `format`; `epoch`; `birth`, from where on it knows of everything; `last`, the newest position; `server`;
 * `life`, the name of the incarnation, of how many there were and its server: an old copy may be loaded twice;
 * `breaks`, `life:survived>start` of each change: between the two nothing is left. A start is some seconds ahead,
 * because this server's clock may be behind that of the one before, whose lost ids must not be given again.
 */
const ATTACH = `
local format = redis.call('HGET', KEYS[1], 'format')
if format and format ~= '${FORMAT}' then return { format } end
local info = redis.pcall('INFO', 'server')
if type(info) == 'table' then info = '' end
local server = string.match(info, 'run_id:(%w+)') or 'unknown'
local log = redis.call('HMGET', KEYS[1], 'epoch', 'birth', 'last', 'server', 'life', 'breaks')
local epoch, birth, last, before, life, breaks = log[1], log[2], log[3], log[4], log[5] or '0.', log[6] or ''
local seenEpoch, seenLife, seen = ARGV[2], ARGV[3], ARGV[4]
local now = clock()

local function nextLife () return (tonumber(string.match(life, '^%d+')) + 1) .. '.' .. string.sub(server, 1, 8) end
local function begin ()
  if not last or (seen ~= '' and isAfter(seen, last)) then last = seen ~= '' and seen or '0-0' end
  last = show(nextTo(last, now))
  epoch, birth, life, breaks = ARGV[1], last, nextLife(), ''
end
local function survived (seenLife)
  for old, position in string.gmatch(breaks, '([%w.]+):(%d+%-%d+)>') do
    if old == seenLife then return position end
  end
end

if not epoch or not last or not birth then
  begin()
else
  if before ~= server then
    local time = parse(last)
    local start = show(math.max(time, now) + 10000, 0)
    breaks = breaks .. life .. ':' .. last .. '>' .. start .. ';'
    last = start
    life = nextLife()
    if #breaks > 4096 then
      -- What is older than the oldest break that is still known cannot be told any more.
      local oldest, rest = string.match(breaks, '^[%w.]+:%d+%-%d+>(%d+%-%d+);(.*)$')
      birth, breaks = oldest, rest
    end
  end
  if seenEpoch == epoch and seen ~= '' then
    local left = last
    if seenLife ~= life then left = survived(seenLife) end
    if not left or isAfter(seen, left) then begin() end
  end
end
if epoch ~= log[1] or life ~= log[5] then
  redis.call('HSET', KEYS[1], 'epoch', epoch, 'birth', birth, 'last', last, 'server', server, 'life', life, 'breaks', breaks)
end
if not format then redis.call('HSET', KEYS[1], 'format', '${FORMAT}') end
if ARGV[5] ~= '' then redis.call('PUBLISH', ARGV[5], table.concat({ ARGV[6], epoch, life, last }, ' ')) end
local policy = ''
if ARGV[5] == '' then
  local memory = redis.pcall('INFO', 'memory')
  policy = type(memory) == 'string' and string.match(memory, 'maxmemory_policy:([%w-]+)') or ''
end
return { '${FORMAT}', epoch, life, last, birth, string.match(info, 'redis_version:([%d.]+)') or '', policy }
`

/**
 * Appends events and publishes them, to those of each stream at once.
 *
 * KEYS: the log; the producer; of each stream its entries and its state; and of each table of idempotency keys its rows
 *   and their times. The channel of a stream is called as its entries are.
 * ARGV: epoch, incarnation, number of the batch, maxEvents, maxBytes, maxAge, ms that a quiet stream's state is kept;
 *   the events, one after the other: in how many streams it is, the number of its request with a key or 0, the bytes of
 *   its record, the numbers of its streams, and its record (big-endian; u16, u16, u32, u16 each); and of each request
 *   with a key: the number of its table's first key, its key, what is kept of it, how many keys may be kept, for how
 *   many ms, '1' if it replaces what is there, and a fence, or '' and ''
 * Returns: the epoch and the position of the first event, the others follow it; and of each request with a key what
 *   became of it ('done', 'known', 'fenced' or 'full') and its row or ''. Or nil: the caller must attach first
 *
 * A caller that has had no answer sends the same batch again, with the same number: it is executed once. The events of
 * a request that is not done are left out, and their positions stay free.
 *
 * A row has lines: \`time epoch position\`, the position that of the request's first event, and what is kept of it, of
 * which the first two are lines and the rest is the answer.
 *
 * In the state of a stream: \`newest\`; \`floor\`, the newest that was dropped; \`bytes\`; \`oldest\`, the time of its
 * oldest entry.
 */
const APPEND = `
local log = redis.call('HMGET', KEYS[1], 'epoch', 'life', 'last', 'format')
if log[1] ~= ARGV[1] or log[2] ~= ARGV[2] or log[4] ~= '${FORMAT}' then return false end
local batch = tonumber(ARGV[3])
local now = clock()
local requests = (#ARGV - 8) / 8
local function rowOf (request, key)
  local row = redis.call('HGET', KEYS[tonumber(ARGV[8 * request + 1])], key)
  if row and tonumber(string.match(row, '^%d+')) > now - tonumber(ARGV[8 * request + 5]) then return row end
end
local function rowsAfter (answer, outcomes)
  for request = 1, requests do
    local row = rowOf(request, ARGV[8 * request + 2])
    answer[#answer + 1] = outcomes[request] or (row and 'known' or 'full')
    answer[#answer + 1] = row or ''
  end
  return answer
end
local done = redis.call('HMGET', KEYS[2], 'batch', 'epoch', 'first')
if done[1] and tonumber(done[1]) >= batch then
  if tonumber(done[1]) > batch then return redis.error_reply('STALE a later batch of this producer was executed') end
  return rowsAfter({ done[2], done[3] }, {})
end

local maxEvents, maxBytes, maxAge = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local time, first = nextTo(log[3], now)

-- What becomes of the requests with a key, before any of their events.
local outcomes, comes = {}, {}
for request = 1, requests do
  local at = 8 * request
  local rows, key, eldest = tonumber(ARGV[at + 1]), ARGV[at + 2], now - tonumber(ARGV[at + 5])
  local times = KEYS[rows + 1]
  local aged = redis.call('ZRANGEBYSCORE', times, '-inf', eldest, 'LIMIT', 0, 500)
  if #aged > 0 then
    redis.call('ZREM', times, unpack(aged))
    redis.call('HDEL', KEYS[rows], unpack(aged))
  end
  local row = rowOf(request, key)
  local id = rows .. ' ' .. key
  local fence = ARGV[at + 7] ~= '' and rowOf(request, ARGV[at + 7])
  local isFenced = fence and string.match(fence, '^[^\\n]*\\n[^\\n]*\\n[^\\n]*\\n(.*)$') > ARGV[at + 8]
  if (row or comes[id]) and ARGV[at + 6] ~= '1' then
    outcomes[request] = 'known'
  elseif isFenced then
    outcomes[request] = 'fenced'
  elseif not row and not comes[id] and redis.call('ZCOUNT', times, '(' .. string.format('%.0f', eldest), '+inf') >= tonumber(ARGV[at + 4]) then
    outcomes[request] = 'full'
  else
    outcomes[request], comes[id] = 'done', true
    -- Its row is written when its position is known; until then its place is taken.
    redis.call('ZADD', times, now, key)
  end
end
local number = first - 1
local stamp = string.format('%.0f-', time)
local frames, added, sizes, positions = {}, {}, {}, {}
local function add (stream, position, head, record)
  redis.call('XADD', KEYS[1 + 2 * stream], position, 'e', record)
  local frame = frames[stream]
  if not frame then
    frame = {}
    frames[stream], added[stream], sizes[stream] = frame, 0, 0
  end
  local size = #frame
  frame[size + 1], frame[size + 2] = head, record
  added[stream] = added[stream] + 1
  sizes[stream] = sizes[stream] + #record
end
local events, at = ARGV[8], 1
local size = #events
while at <= size do
  local count, request, length, streams = struct.unpack('>HHI4', events, at)
  local start = streams + 2 * count
  number = number + 1
  if request > 0 and not positions[request] then positions[request] = stamp .. number end
  if request == 0 or outcomes[request] == 'done' then
    local record = string.sub(events, start, start + length - 1)
    local position, head = stamp .. number, struct.pack('>HI4', number - first, length)
    for stream = streams, start - 1, 2 do
      add((struct.unpack('>H', events, stream)), position, head, record)
    end
  end
  at = start + length
end
-- A batch of requests without events takes a position of its own.
if number < first then number = first end
for request = 1, requests do
  if outcomes[request] == 'done' then
    local at = 8 * request
    local rows, maxAge = tonumber(ARGV[at + 1]), ARGV[at + 5]
    local head = string.format('%.0f ', now) .. ARGV[1] .. ' ' .. (positions[request] or show(time, first)) .. '\\n'
    redis.call('HSET', KEYS[rows], ARGV[at + 2], head .. ARGV[at + 3])
    redis.call('PEXPIRE', KEYS[rows], maxAge)
    redis.call('PEXPIRE', KEYS[rows + 1], maxAge)
  end
end
local last = show(time, number)
redis.call('HSET', KEYS[1], 'last', last)
redis.call('HSET', KEYS[2], 'batch', ARGV[3], 'epoch', ARGV[1], 'first', show(time, first))
redis.call('PEXPIRE', KEYS[2], 86400000)

for stream, frame in pairs(frames) do
  local entries, state = KEYS[1 + 2 * stream], KEYS[2 + 2 * stream]
  local kept = redis.call('HMGET', state, 'newest', 'floor', 'bytes', 'oldest')
  local before, floor, bytes, oldest = kept[1], kept[2], tonumber(kept[3] or '0'), tonumber(kept[4] or now)
  local length = redis.call('XLEN', entries)
  if length == added[stream] then
    -- All that was there before is dropped: expired, trimmed or removed.
    -- Where the state is gone too, for as long as it is kept nothing has happened.
    floor, bytes, oldest = before or floor or show(math.max(0, now - tonumber(ARGV[7])), 0), 0, time
  elseif not before then
    -- The state was evicted, and of what is older nothing is known: how large it is, is guessed.
    floor = redis.call('XRANGE', entries, '-', '+', 'COUNT', 1)[1][1]
    bytes = math.floor(sizes[stream] / added[stream] * (length - added[stream]))
  end
  bytes = bytes + sizes[stream]

  -- The newest event is kept, however large it is.
  local isLong = length > maxEvents + 32 or (length > 1 and bytes > maxBytes + maxBytes / 16)
  if isLong or oldest < now - maxAge - maxAge / 16 then
    -- Each call drops somewhat more than it adds, and none holds Redis up for long.
    local left = 2 * added[stream] + 1024
    while length > 0 and left > 0 do
      local page = redis.call('XRANGE', entries, '-', '+', 'COUNT', math.max(1, math.min(64, left, math.floor(262144 * length / bytes))))
      local dropped, isDone
      for _, entry in ipairs(page) do
        oldest = parse(entry[1])
        if length <= maxEvents and (length == 1 or bytes <= maxBytes) and oldest >= now - maxAge then
          isDone = true
          break
        end
        dropped, length, bytes, left = entry[1], length - 1, math.max(0, bytes - #entry[2][2]), left - 1
      end
      if dropped then
        local dt, dn = parse(dropped)
        redis.call('XTRIM', entries, 'MINID', '=', show(dt, dn + 1))
        floor = dropped
      end
      if isDone or #page == 0 then break end
    end
  end

  local newest
  do
    local index = struct.unpack('>H', frame[#frame - 1])
    newest = show(time, first + index)
  end
  redis.call('HSET', state, 'newest', newest, 'floor', floor or '', 'bytes', bytes, 'oldest', oldest)
  redis.call('PEXPIRE', state, ARGV[7])
  redis.call('PEXPIRE', entries, maxAge)
  redis.call('PUBLISH', entries, table.concat({ 'e', ARGV[1], ARGV[2], before or '', show(time, first), length, bytes }, ' ') .. '\\n' .. table.concat(frame))
end
return rowsAfter({ ARGV[1], show(time, first) }, outcomes)
`

/**
 * Reads what came after an id.
 *
 * KEYS: the log; the entries and the state of the stream
 * ARGV: the epoch and the position of the id; bytes that are wanted; ms that a quiet stream's state is kept
 * Returns: epoch, incarnation, last, newest of the stream or '', and 'gap' or a list of position, record, …
 */
const READ = `
local log = redis.call('HMGET', KEYS[1], 'epoch', 'life', 'last', 'birth', 'breaks')
local epoch, last = log[1], log[3]
if not epoch then return { '', '', '', '', 'gap' } end
local after = ARGV[2]
local state = redis.call('HMGET', KEYS[3], 'newest', 'floor')
local newest, floor = state[1] or '', state[2] or ''
local function answer (found) return { epoch, log[2], last, newest, found } end

if ARGV[1] ~= epoch or isAfter(after, last) or isAfter(log[4], after) then return answer('gap') end
local breaks = {}
for survived, start in string.gmatch(log[5] or '', ':(%d+%-%d+)>(%d+%-%d+);') do
  if isAfter(start, after) then
    if isAfter(after, survived) then return answer('gap') end
    breaks[#breaks + 1] = { survived, start }
  end
end
-- Redis has truncated its file within a transaction, has served without it, and has executed it at a later start. Its
-- events were appended again meanwhile.
local function isReturned (position)
  for _, between in ipairs(breaks) do
    if isAfter(position, between[1]) and isAfter(between[2], position) then return true end
  end
  return false
end
if newest == '' then
  local oldest = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', 1)[1]
  if oldest then
    floor = oldest[1]
    newest = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1][1]
  elseif parse(after) < clock() - tonumber(ARGV[4]) then
    return answer('gap')
  end
elseif redis.call('EXISTS', KEYS[2]) == 0 then
  floor = newest
end
if floor ~= '' and isAfter(floor, after) then return answer('gap') end

-- An entry may be very large: no more of them are loaded at once than have been found so far.
local wanted, found, bytes, from, count = tonumber(ARGV[3]), {}, 0, '(' .. after, 1
while bytes < wanted or #found == 0 do
  local page = redis.call('XRANGE', KEYS[2], from, '+', 'COUNT', count)
  for _, entry in ipairs(page) do
    if not isReturned(entry[1]) then
      bytes = bytes + #entry[2][2]
      if bytes > wanted and #found > 0 then return answer(found) end
      found[#found + 1] = entry[1]
      found[#found + 1] = entry[2][2]
    end
    from = '(' .. entry[1]
  end
  if #page < count then break end
  count = math.min(32, 2 * count)
end
return answer(found)
`

/**
 * Finds which streams have had events after positions.
 *
 * KEYS: the log; the entries and the state of each stream
 * ARGV: the epoch and the incarnation; a position of each stream
 * Returns: the newest position, and the numbers of those streams. Or nil: the caller must attach first
 */
const BEHIND = `
local log = redis.call('HMGET', KEYS[1], 'epoch', 'life', 'last')
if log[1] ~= ARGV[1] or log[2] ~= ARGV[2] then return false end
local behind = { log[3] }
for number = 1, #ARGV - 2 do
  local newest = redis.call('HGET', KEYS[2 * number + 1], 'newest')
  -- A state that was evicted says nothing: the entries have to be read.
  local isUnknown = not newest and redis.call('EXISTS', KEYS[2 * number]) == 1
  if isUnknown or (newest and isAfter(newest, ARGV[number + 2])) then behind[#behind + 1] = number end
end
return behind
`

/**
 * Drops all that a stream remembers.
 *
 * KEYS: the entries and the state of the stream
 * ARGV: ms that a quiet stream's state is kept
 * Returns: the newest position that was dropped, or nil
 */
const REMOVE = `
local newest = redis.call('HGET', KEYS[2], 'newest')
if not newest then
  local entry = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
  if not entry then return false end
  newest = entry[1]
end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[2], 'newest', newest, 'floor', newest, 'bytes', 0)
redis.call('PEXPIRE', KEYS[2], ARGV[1])
redis.call('PUBLISH', KEYS[1], 'r ' .. newest)
return newest
`

// A config is kept as `generation JSON`: a name that is deleted and set again is of another generation. That has at its
// end where the root's stream was then.

/**
 * Puts a config in place of the one before, and tells of it. A list that is kept is read in the same step.
 *
 * KEYS: the configs; the state of the root's stream
 * ARGV: who tells; the name; `enabled` and `events` as JSON; a generation, if the name had none;
 *   `true` if the list that is there stays
 * Returns: the config as it is kept
 */
const SET_CONFIG = `
local before = redis.call('HGET', KEYS[1], ARGV[2])
local generation = before and string.match(before, '^%S+') or
  ARGV[5] .. '@' .. (redis.call('HGET', KEYS[2], 'newest') or '0-0')
local events = before and ARGV[6] == 'true' and string.match(before, '"events":(.*)}$') or ARGV[4]
local kept = generation .. ' {"enabled":' .. ARGV[3] .. ',"events":' .. events .. '}'
redis.call('HSET', KEYS[1], ARGV[2], kept)
redis.call('PUBLISH', KEYS[1], ARGV[1] .. ' s ' .. ARGV[2])
return kept
`

/**
 * Names the hash of the configs, under the empty name, which no instance has. A hash that has another name than before
 * is not the one of before: Redis has lost that, and what the caller knows of it is put back.
 *
 * KEYS: the configs
 * ARGV: who tells; the name that the caller knows or ''; a new one; and names and configs that it knows
 * Returns: the name of the hash, and how many configs were put back
 */
const RESTORE_CONFIGS = `
local name = redis.call('HGET', KEYS[1], '')
if not name then
  name = ARGV[3]
  redis.call('HSET', KEYS[1], '', name)
end
local restored = 0
if ARGV[2] ~= '' and name ~= ARGV[2] then
  for at = 4, #ARGV, 2 do
    if redis.call('HSETNX', KEYS[1], ARGV[at], ARGV[at + 1]) == 1 then
      restored = restored + 1
      redis.call('PUBLISH', KEYS[1], ARGV[1] .. ' s ' .. ARGV[at])
    end
  end
end
return { name, restored }
`

/**
 * Deletes a config, and tells of it, also if there was none: an instance may be served without.
 *
 * KEYS: the configs
 * ARGV: who tells; the name
 * Returns: 1 if there was one, else 0
 */
const DELETE_CONFIG = `
local before = redis.call('HGET', KEYS[1], ARGV[2])
redis.call('HDEL', KEYS[1], ARGV[2])
redis.call('PUBLISH', KEYS[1], ARGV[1] .. ' d' .. (before and string.match(before, '^%S+') or '') .. ' ' .. ARGV[2])
return before and 1 or 0
`

export const scripts = {
  attach: script('attach', POSITIONS, ATTACH),
  append: script('append', POSITIONS, APPEND),
  read: script('read', POSITIONS, READ),
  behind: script('behind', POSITIONS, BEHIND),
  remove: script('remove', REMOVE),
  setConfig: script('setConfig', SET_CONFIG),
  restoreConfigs: script('restoreConfigs', RESTORE_CONFIGS),
  deleteConfig: script('deleteConfig', DELETE_CONFIG)
}
