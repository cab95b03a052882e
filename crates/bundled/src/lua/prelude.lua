-- Makes what chunks see, `kong`, `ngx` and the libraries, of the gateway's functions. Those answer whether it went well,
-- and then their results or else the reason.
local native = ...

local error, select, tostring, type, unpack = error, select, tostring, type, unpack
local setmetatable, pairs, ipairs, rawget = setmetatable, pairs, ipairs, rawget
local find, gmatch, gsub, lower, format, sub =
  string.find, string.gmatch, string.gsub, string.lower, string.format, string.sub
local concat, min, huge = table.concat, math.min, math.huge
local raw_pcall, raw_xpcall, raw_require = pcall, xpcall, require
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
  local parts, count, from = {}, 0, 1
  while count < most and from <= #text + 1 do
    local first, last, found, reason = search(from)
    if reason then return nil, nil, reason end
    if not first then break end
    count = count + 1
    parts[#parts + 1] = sub(text, from, first - 1)
    parts[#parts + 1] = new_for(found, sub(text, first, last))
    -- The letter behind an empty match stays.
    if last < first then parts[#parts + 1] = sub(text, first, first) end
    from = (last < first and first or last) + 1
  end
  parts[#parts + 1] = sub(text, from)
  return concat(parts), count
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

-- kong

local function bound(entry)
  local call = entry.call
  if entry.ends then
    return function(...) return ended(call(...)) end
  elseif entry.reads_body then
    return function(...)
      if not native.has_body() then wait("body") end
      return results(call(...))
    end
  end
  return function(...) return results(call(...)) end
end

local pdk = {}
local kong = { version = native.version, log = {} }
for name, entry in pairs(native.pdk) do
  pdk[name] = bound(entry)
  local namespace, last = kong, nil
  for part in gmatch(name, "[^.]+") do
    if last and last ~= "kong" then
      namespace[last] = namespace[last] or {}
      namespace = namespace[last]
    end
    last = part
  end
  if name ~= "kong.log" then namespace[last] = pdk[name] end
end

local major, minor, patch = native.version:match("(%d+)%.(%d+)%.(%d+)")
kong.version_num = major and major * 1000000 + minor * 1000 + patch

local get_body = kong.request.get_body
function kong.request.get_body(mimetype, ...)
  local body, reason = get_body(mimetype, ...)
  if body == nil then return nil, reason end
  return body, nil, mimetype or (gsub(kong.request.get_header("content-type") or "", "%s*;.*", ""))
end

local function shown(...)
  local texts = { ... }
  for i = 1, select("#", ...) do
    local kind = type(texts[i])
    if kind ~= "string" and kind ~= "number" then texts[i] = tostring(texts[i]) end
  end
  return unpack(texts, 1, select("#", ...))
end

for _, level in ipairs { "emerg", "alert", "crit", "err", "warn", "notice", "info", "debug" } do
  local write = kong.log[level]
  kong.log[level] = function(...) return write(shown(...)) end
end
local serialize = kong.log.serialize
function kong.log.serialize() return results(native.json_decode((serialize()))) end
local log = kong.log
kong.log = setmetatable({}, {
  __index = log,
  __newindex = function(_, key) error(format("kong.log.%s cannot be set", tostring(key)), 2) end,
  __call = function(_, ...) return log.notice(...) end,
})

kong.ctx = setmetatable({}, {
  __index = function(_, key)
    if key == "shared" or key == "plugin" then return native[key]() end
  end,
  __newindex = function(_, key) error(format("kong.ctx.%s cannot be set", tostring(key)), 2) end,
})

-- Pieces that are held back until the body is there whole, by their `ngx.arg`.
local held_back = setmetatable({}, { __mode = "k" })

local function filtered()
  local arg = native.arg()
  if arg then return arg end
  error(format("function cannot be called in %s phase (only in: body_filter)", native.phase()), 3)
end

function kong.response.get_raw_body()
  local arg = filtered()
  local pieces = held_back[arg] or {}
  held_back[arg] = pieces
  pieces[#pieces + 1] = arg[1]
  arg[1] = nil
  if not arg[2] then return nil end
  held_back[arg] = nil
  arg[1] = concat(pieces)
  return arg[1]
end

function kong.response.set_raw_body(body)
  local arg = filtered()
  if type(body) ~= "string" then error("body must be a string", 2) end
  arg[1], arg[2] = body, true
end

kong.table = {
  new = function() return {} end,
  clear = function(table)
    for key in pairs(table) do table[key] = nil end
  end,
  merge = function(...)
    local merged = {}
    for i = 1, select("#", ...) do
      for key, value in pairs((select(i, ...)) or {}) do merged[key] = value end
    end
    return merged
  end,
}

-- ngx

local ngx = {
  OK = 0, ERROR = -1, AGAIN = -2, DONE = -4, DECLINED = -5, null = native.null,
  STDERR = 0, EMERG = 1, ALERT = 2, CRIT = 3, ERR = 4, WARN = 5, NOTICE = 6, INFO = 7, DEBUG = 8,
  HTTP_OK = 200, HTTP_CREATED = 201, HTTP_ACCEPTED = 202, HTTP_NO_CONTENT = 204, HTTP_PARTIAL_CONTENT = 206,
  HTTP_SPECIAL_RESPONSE = 300, HTTP_MOVED_PERMANENTLY = 301, HTTP_MOVED_TEMPORARILY = 302, HTTP_SEE_OTHER = 303,
  HTTP_NOT_MODIFIED = 304, HTTP_TEMPORARY_REDIRECT = 307, HTTP_PERMANENT_REDIRECT = 308, HTTP_BAD_REQUEST = 400,
  HTTP_UNAUTHORIZED = 401, HTTP_PAYMENT_REQUIRED = 402, HTTP_FORBIDDEN = 403, HTTP_NOT_FOUND = 404,
  HTTP_NOT_ALLOWED = 405, HTTP_NOT_ACCEPTABLE = 406, HTTP_REQUEST_TIMEOUT = 408, HTTP_CONFLICT = 409, HTTP_GONE = 410,
  HTTP_UPGRADE_REQUIRED = 426, HTTP_TOO_MANY_REQUESTS = 429, HTTP_CLOSE = 444, HTTP_ILLEGAL = 451,
  HTTP_INTERNAL_SERVER_ERROR = 500, HTTP_METHOD_NOT_IMPLEMENTED = 501, HTTP_BAD_GATEWAY = 502,
  HTTP_SERVICE_UNAVAILABLE = 503, HTTP_GATEWAY_TIMEOUT = 504, HTTP_VERSION_NOT_SUPPORTED = 505,
  HTTP_INSUFFICIENT_STORAGE = 507,
  encode_base64 = function(text, no_padding)
    local encode = no_padding and native.encode_base64_unpadded or native.encode_base64
    return encode(tostring(text))
  end,
  decode_base64 = native.decode_base64, md5 = native.md5, md5_bin = native.md5_bin, sha1_bin = native.sha1_bin,
  hmac_sha1 = native.hmac_sha1, now = native.now, get_phase = native.phase,
}

local methods = {}
for index, method in ipairs {
  "GET", "HEAD", "POST", "PUT", "DELETE", "MKCOL", "COPY", "MOVE", "OPTIONS", "PROPFIND", "PROPPATCH", "LOCK", "UNLOCK",
  "PATCH", "TRACE",
} do
  local constant = 2 ^ index
  ngx["HTTP_" .. method] = constant
  methods[constant] = method
end

local levels = { [0] = "emerg", "emerg", "alert", "crit", "err", "warn", "notice", "info", "debug" }
function ngx.log(level, ...)
  local name = levels[level]
  if not name then error("bad log level: " .. tostring(level), 2) end
  return kong.log[name](...)
end
function print(...) return kong.log.notice(...) end

function ngx.update_time() end
function ngx.time() return native.now() - native.now() % 1 end
local date = os.date
function ngx.utctime() return date("!%Y-%m-%d %H:%M:%S") end
function ngx.localtime() return date("%Y-%m-%d %H:%M:%S") end
function ngx.today() return date("%Y-%m-%d") end
function ngx.http_time(time) return date("!%a, %d %b %Y %H:%M:%S GMT", time) end
function ngx.cookie_time(time) return date("!%a, %d-%b-%y %H:%M:%S GMT", time) end

local waiting = { certificate = true, rewrite = true, access = true }
function ngx.sleep(seconds)
  if not waiting[native.phase()] then
    error(format("API disabled in the context of %s_by_lua*", native.phase()), 2)
  end
  wait(tonumber(seconds) or error("attempt to convert " .. tostring(seconds) .. " to a number", 2))
end

local function text_of(value)
  if type(value) ~= "table" then return tostring(value) end
  local texts = {}
  for i, part in ipairs(value) do texts[i] = text_of(part) end
  return concat(texts)
end

function ngx.print(...)
  local texts = { ... }
  for i = 1, select("#", ...) do texts[i] = text_of(texts[i]) end
  return results(native.say(concat(texts)))
end
function ngx.say(...)
  local texts, count = { ... }, select("#", ...)
  for i = 1, count do texts[i] = text_of(texts[i]) end
  texts[count + 1] = "\n"
  return results(native.say(concat(texts)))
end
function ngx.flush() return 1 end
function ngx.eof() return 1 end
function ngx.exit(status) return ended(native.exit(status)) end
function ngx.redirect(uri, status)
  return kong.response.exit(status or 302, nil, { Location = uri })
end

local function dashed(name) return (gsub(lower(tostring(name)), "_", "-")) end
local by_any_name = { __index = function(headers, name) return rawget(headers, dashed(name)) end }

ngx.header = setmetatable({}, {
  __index = function(_, name) return kong.response.get_headers(1000)[dashed(name)] end,
  __newindex = function(_, name, value)
    name = gsub(name, "_", "-")
    if value == nil or value == "" then return kong.response.clear_header(name) end
    if type(value) == "table" then return kong.response.set_headers { [name] = value } end
    return kong.response.set_header(name, value)
  end,
})
ngx.resp = {
  get_headers = function(max) return setmetatable(kong.response.get_headers(max == 0 and 1000 or max), by_any_name) end,
  add_header = function(name, value) return kong.response.add_header(name, value) end,
}

local variables = {
  upstream_uri = function(value) return kong.service.request.set_path(value) end,
  upstream_host = function(value) return kong.service.request.set_header("Host", value) end,
  args = function(value) return kong.service.request.set_raw_query(value or "") end,
}
ngx.var = setmetatable({}, {
  __index = function(_, name) return pdk["kong.nginx.get_var"](tostring(name)) end,
  __newindex = function(_, name, value)
    local set = variables[name]
    if not set then error(format("ngx.var.%s cannot be set", tostring(name)), 2) end
    return set(value)
  end,
})

ngx.req = {
  get_method = kong.request.get_method,
  set_method = function(method)
    if not methods[method] then error("unsupported HTTP method: " .. tostring(method), 2) end
    return kong.service.request.set_method(methods[method])
  end,
  http_version = kong.request.get_http_version,
  start_time = pdk["kong.nginx.req_start_time"],
  is_internal = function() return false end,
  get_headers = function(max) return setmetatable(kong.request.get_headers(max == 0 and 1000 or max), by_any_name) end,
  set_header = function(name, value)
    if value == nil then return kong.service.request.clear_header(name) end
    if type(value) == "table" then return kong.service.request.set_headers { [name] = value } end
    return kong.service.request.set_header(name, value)
  end,
  clear_header = kong.service.request.clear_header,
  get_uri_args = function(max) return kong.request.get_query(max == 0 and 1000 or max) end,
  set_uri_args = function(args)
    if type(args) == "table" then return kong.service.request.set_query(args) end
    return kong.service.request.set_raw_query(tostring(args))
  end,
  read_body = function()
    if not native.has_body() then wait("body") end
  end,
  get_body_data = function()
    if not native.has_body() then return nil end
    local body = kong.request.get_raw_body()
    if body ~= "" then return body end
  end,
  get_body_file = function() return ngx.var.request_body_file end,
  get_post_args = function(max)
    return kong.request.get_body("application/x-www-form-urlencoded", max == 0 and 1000 or max)
  end,
  set_body_data = kong.service.request.set_raw_body,
}

local function percent(letter) return format("%%%02X", letter:byte()) end
local function letter(digits) return string.char(tonumber(digits, 16)) end
function ngx.escape_uri(text, kind)
  local stays = kind == 0 and "[^%w%-%._~!#$&'()*+,/:;=?@%[%]]" or "[^%w%-%._~]"
  return (gsub(tostring(text), stays, percent))
end
function ngx.unescape_uri(text)
  return (gsub(gsub(tostring(text), "%+", " "), "%%(%x%x)", letter))
end
function ngx.encode_args(args)
  local pairs_of = {}
  local function add(name, value)
    name = ngx.escape_uri(name)
    if value == true then
      pairs_of[#pairs_of + 1] = name
    elseif value then
      pairs_of[#pairs_of + 1] = name .. "=" .. ngx.escape_uri(value)
    end
  end
  for name, value in pairs(args) do
    for _, one in ipairs(type(value) == "table" and value or { value }) do add(name, one) end
  end
  return concat(pairs_of, "&")
end
function ngx.decode_args(text, max)
  local args, left = {}, max == 0 and huge or max or 100
  for pair in gmatch(text, "[^&]+") do
    if left == 0 then break end
    left = left - 1
    local name, value = pair:match("^([^=]*)=(.*)$")
    name, value = ngx.unescape_uri(name or pair), value and ngx.unescape_uri(value) or true
    local known = args[name]
    if known == nil then
      args[name] = value
    elseif type(known) == "table" then
      known[#known + 1] = value
    else
      args[name] = { known, value }
    end
  end
  return args
end
function ngx.quote_sql_str(text)
  local quoted = gsub(text, "[%z\n\r\26\\'\"]", { ["\0"] = "\\0", ["\n"] = "\\n", ["\r"] = "\\r", ["\26"] = "\\Z",
    ["\\"] = "\\\\", ["'"] = "\\'", ['"'] = '\\"' })
  return "'" .. quoted .. "'"
end

-- nil, or the first and last place of the match and its groups; a bad pattern is no match and a reason.
local function found(ok, first, ...)
  if ok then return first, ... end
  return nil, nil, nil, first
end
local function search(subject, pattern, options, from)
  return found(native.find_regex(tostring(subject), pattern, options, from or 1))
end

local re = {}
function re.match(subject, pattern, options, context, into)
  local _, last, groups, reason = search(subject, pattern, options, context and context.pos)
  if context and last then context.pos = last + 1 end
  if into and groups then
    for key, value in pairs(groups) do into[key] = value end
    groups = into
  end
  return groups, reason
end
function re.find(subject, pattern, options, context, nth)
  local first, last, groups, reason = search(subject, pattern, options, context and context.pos)
  if not first then return nil, nil, reason end
  if context then context.pos = last + 1 end
  if not nth or nth == 0 then return first, last end
  if not groups[nth] then return nil, nil end
  first = find(subject, groups[nth], first, true)
  return first, first + #groups[nth] - 1
end
function re.gmatch(subject, pattern, options)
  local from = 1
  return function()
    if not from then return nil end
    local first, last, groups, reason = search(subject, pattern, options, from)
    from = first and (last < first and first + 1 or last + 1)
    return groups, reason
  end
end
-- `$1`, `${1}`, `${name}`, `$$`.
local function filled(replacement, groups)
  return (gsub(replacement, "%$(%$?)({?)(%w*)(}?)", function(dollar, open, name, close)
    if dollar ~= "" then return "$" .. open .. name .. close end
    local digits, rest = name:match("^(%d+)(.*)$")
    if open == "" and digits then return (groups[tonumber(digits)] or "") .. rest .. close end
    return groups[tonumber(name) or name] or ""
  end))
end
local function substitute(subject, pattern, replacement, options, most)
  subject = tostring(subject)
  return rewritten(subject, most, function(from) return search(subject, pattern, options, from) end, function(groups)
    if type(replacement) == "function" then return tostring(replacement(groups)) end
    return filled(replacement, groups)
  end)
end
function re.sub(subject, pattern, replacement, options)
  return substitute(subject, pattern, replacement, options, 1)
end
function re.gsub(subject, pattern, replacement, options)
  return substitute(subject, pattern, replacement, options, huge)
end
ngx.re = locked(re, "ngx.re", lacks("ngx.re"))
ngx.req = locked(ngx.req, "ngx.req", lacks("ngx.req"))
ngx.worker = locked({ pid = function() return native.pid end, exiting = function() return false end }, "ngx.worker",
  lacks("ngx.worker"))

local of_context = { __index = function(_, key) return pdk["kong.nginx.get_ctx"](key) end }
local computed = {
  ctx = function() return native.ctx(of_context) end,
  arg = function() return native.arg() or {} end,
  status = function() return kong.response.get_status() end,
  headers_sent = function() return native.phase() == "body_filter" or native.phase() == "log" end,
}
local members = ngx
ngx = setmetatable({}, {
  __index = function(_, key)
    local value = members[key]
    if value ~= nil then return value end
    local compute = computed[key]
    if compute then return compute() end
    error(format("ngx.%s is not available", tostring(key)), 2)
  end,
  __newindex = function(_, key, value)
    if key ~= "status" then error(format("ngx.%s cannot be set", tostring(key)), 2) end
    kong.response.set_status(value)
  end,
  __metatable = false,
})

-- Modules

local function encode(value) return results(native.json_encode(value)) end
local function decode(text) return results(native.json_decode(text)) end
local function returned(ok, ...)
  if ok then return ... end
  return nil, (...)
end
local function json(own)
  own.null, own._NAME, own.empty_array = native.null, "cjson", {}
  for _, name in ipairs {
    "encode_empty_table_as_object", "encode_sparse_array", "encode_number_precision", "encode_max_depth",
    "decode_max_depth", "decode_array_with_array_mt", "encode_escape_forward_slash",
  } do
    own[name] = function() error(format("cjson.%s is not available", name), 2) end
  end
  return own
end

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
table.new, table.clear = kong.table.new, kong.table.clear

local modules = {
  cjson = json { encode = encode, decode = decode },
  ["cjson.safe"] = json {
    encode = function(value) return returned(native.json_encode(value)) end,
    decode = function(text) return returned(native.json_decode(text)) end,
  },
  ["ngx.base64"] = {
    encode_base64url = native.encode_base64url,
    decode_base64url = native.decode_base64,
  },
  bit = bit,
}
for _, name in ipairs { "new", "clear", "clone", "isarray", "isempty", "nkeys" } do
  modules["table." .. name] = table[name]
end

local function locked_with_members(namespace, name)
  for key, member in pairs(namespace) do
    if type(member) == "table" and not getmetatable(member) then
      namespace[key] = locked_with_members(member, name .. "." .. key)
    end
  end
  return locked(namespace, name, lacks(name))
end
kong = locked_with_members(kong, "kong")

-- Would reach through every sandbox.
newproxy, string.dump = nil, nil

local all = _G
all.kong, all.ngx = kong, ngx

-- The globals of a sandbox: what `names` names, and modules of the list `requires`. Without names it is all there is.
local function environment(names, requires)
  if not names then
    all.require = function(name) return modules[name] or raw_require(name) end
    return all
  end
  local allowed, seen, tables = {}, {}, {}
  for _, name in ipairs(requires) do allowed[name] = true end
  for _, name in ipairs(names) do
    local from, to, last = all, seen, nil
    for part in gmatch(name, "[^.]+") do
      if last then
        from, to[last] = from[last], to[last] or {}
        to = to[last]
        tables[to] = true
      end
      if type(from) ~= "table" then break end
      last = part
    end
    if last and type(from) == "table" then to[last] = from[last] end
  end
  for name, value in pairs(seen) do
    if tables[value] then seen[name] = locked(value, name) end
  end
  function seen.require(name)
    if not allowed[name] then error(format("require '%s' not allowed within sandbox", tostring(name)), 2) end
    return modules[name] or error(format("module '%s' is not available", name), 2)
  end
  return seen
end

return { wait = WAIT, environment = environment }
