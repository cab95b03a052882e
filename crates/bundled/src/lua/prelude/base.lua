-- What the other parts are written with, and the libraries as chunks see them.
--
-- The parts get the gateway's functions (`native`), which answer whether it went well, and then their results or else the
-- reason; and a table in which each leaves what those after it need.
local native, parts = ...

local error, select, tostring, type, unpack = error, select, tostring, type, unpack
local getmetatable, setmetatable, pairs, next = getmetatable, setmetatable, pairs, next
local find, format, sub = string.find, string.format, string.sub
local concat, min, huge = table.concat, math.min, math.huge
local raw_pcall, raw_xpcall = pcall, xpcall
local create, yield, running, raw_resume = coroutine.create, coroutine.yield, coroutine.running, coroutine.resume

-- Is yielded first where the gateway is to go on; then a number of seconds to wait, "body" or "end".
local WAIT = {}

local function wait(what)
  return yield(WAIT, what)
end

-- For functions that return them as they are: the error then names the caller's line.
local function results(ok, ...)
  if ok then return ... end
  error((...), 2)
end

local function ended(ok, ...)
  if not ok then error((...), 2) end
  return wait("end")
end

-- A table whose members cannot be replaced; `of` makes those that it lacks.
local function locked(table, name, of)
  local function missing(_, key)
    local value = table[key]
    if value ~= nil then return value end
    return of(key)
  end
  return setmetatable({}, {
    __index = of and missing or table,
    __newindex = function(_, key) error(format("%s.%s cannot be set", name, tostring(key)), 2) end,
    __metatable = false,
  })
end

local function lacks(name)
  return function(key) error(format("%s.%s is not available", name, tostring(key)), 2) end
end

local function locked_with_members(namespace, name)
  for key, member in pairs(namespace) do
    if type(member) == "table" and not getmetatable(member) then
      namespace[key] = locked_with_members(member, name .. "." .. key)
    end
  end
  return locked(namespace, name, lacks(name))
end

-- What ran for too long goes on failing, whoever catches the error.
local function caught(ok, ...)
  if not ok and native.is_late() then error(native.late, 0) end
  return ok, ...
end

function pcall(...) return caught(raw_pcall(...)) end
function xpcall(...) return caught(raw_xpcall(...)) end

-- Coroutines within coroutines take of the system's stack, and nobody else counts them.
local DEEPEST = 100
local depths = setmetatable({}, { __mode = "k" })

-- What a chunk's own coroutine wants of the gateway goes through to it.
local function passed_on(thread, ok, first, ...)
  if ok and first == WAIT then return passed_on(thread, raw_resume(thread, yield(WAIT, ...))) end
  return caught(ok, first, ...)
end

local function unwrapped(ok, ...)
  if ok then return ... end
  error((...), 0)
end

function coroutine.resume(thread, ...)
  local depth = (depths[running()] or 0) + 1
  if depth > DEEPEST then error("C stack overflow", 2) end
  depths[thread] = depth
  return passed_on(thread, raw_resume(thread, ...))
end

function coroutine.wrap(run)
  local thread = create(run)
  return function(...) return unwrapped(coroutine.resume(thread, ...)) end
end

-- The libraries would call functions of a chunk from C, where each level takes of the system's stack as well. From here
-- they take of Lua's, and may wait.

-- `text` with something new for each match. `search` answers where the next one is, and what `new_for` makes the new of.
local function rewritten(text, most, search, new_for)
  local pieces, count, from = {}, 0, 1
  while count < most and from <= #text + 1 do
    local first, last, found = search(from)
    if not first then break end
    count = count + 1
    pieces[#pieces + 1] = sub(text, from, first - 1)
    pieces[#pieces + 1] = new_for(found, sub(text, first, last))
    -- The letter behind an empty match stays.
    if last < first then pieces[#pieces + 1] = sub(text, first, first) end
    from = (last < first and first or last) + 1
  end
  pieces[#pieces + 1] = sub(text, from)
  return concat(pieces), count
end

local raw_gsub, raw_sort = string.gsub, table.sort
function string.gsub(text, pattern, replacement, most)
  if type(replacement) ~= "function" then return raw_gsub(text, pattern, replacement, most) end
  text = tostring(text)
  local function search(from)
    local found = { find(text, pattern, from) }
    return found[1], found[2], found
  end
  local function new_for(found, whole)
    local new
    if found[3] == nil then new = replacement(whole) else new = replacement(unpack(found, 3)) end
    if not new then return whole end
    if type(new) == "string" or type(new) == "number" then return new end
    error(format("invalid replacement value (a %s)", type(new)), 0)
  end
  return rewritten(text, find(pattern, "^^") and 1 or most or huge, search, new_for)
end

function table.sort(list, before)
  if before == nil then return raw_sort(list) end
  local from, to, count, width = {}, {}, #list, 1
  for at = 1, count do from[at] = list[at] end
  while width < count do
    for low = 1, count, 2 * width do
      local left, middle, high = low, min(low + width, count + 1), min(low + 2 * width, count + 1)
      local right = middle
      for at = low, high - 1 do
        if left < middle and (right >= high or not before(from[right], from[left])) then
          to[at], left = from[left], left + 1
        else
          to[at], right = from[right], right + 1
        end
      end
    end
    from, to, width = to, from, 2 * width
  end
  for at = 1, count do list[at] = from[at] end
end

-- What the reference's LuaJIT has besides.

function table.isempty(of) return next(of) == nil end
function table.nkeys(of)
  local count = 0
  for _ in pairs(of) do count = count + 1 end
  return count
end
function table.isarray(of)
  local count = 0
  for key in pairs(of) do
    if type(key) ~= "number" or key < 1 or key % 1 ~= 0 then return false end
    count = count > key and count or key
  end
  return true
end
function table.clone(of)
  local copy = {}
  for key, value in pairs(of) do copy[key] = value end
  return copy
end
function table.new() return {} end
function table.clear(of)
  for key in pairs(of) do of[key] = nil end
end

-- Would reach through every sandbox.
newproxy, string.dump = nil, nil

parts.wait, parts.results, parts.ended, parts.WAIT = wait, results, ended, WAIT
parts.locked, parts.locked_with_members, parts.lacks, parts.rewritten = locked, locked_with_members, lacks, rewritten
