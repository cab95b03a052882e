-- `ngx`: the part of it that such chunks use, by means of `kong`.
local native, parts = ...
local wait, results, ended = parts.wait, parts.results, parts.ended
local locked, lacks, rewritten = parts.locked, parts.lacks, parts.rewritten
local kong, pdk = parts.kong, parts.pdk
local concat, find, format, gmatch, gsub, huge, lower =
  table.concat, string.find, string.format, string.gmatch, string.gsub, math.huge, string.lower

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

-- The first and last place of a match, and its groups. A pattern that is refused is an error: to go on as if nothing matched
-- could let through what it was to stop.
local function search(subject, pattern, options, from)
  return results(native.find_regex(tostring(subject), pattern, options, from or 1))
end

local re = {}
function re.match(subject, pattern, options, context, into)
  local _, last, groups = search(subject, pattern, options, context and context.pos)
  if context and last then context.pos = last + 1 end
  if into and groups then
    for key, value in pairs(groups) do into[key] = value end
    groups = into
  end
  return groups
end
function re.find(subject, pattern, options, context, nth)
  local first, last, groups = search(subject, pattern, options, context and context.pos)
  if not first then return nil end
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
    local first, last, groups = search(subject, pattern, options, from)
    from = first and (last < first and first + 1 or last + 1)
    return groups
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
parts.ngx = setmetatable({}, {
  __index = function(_, key)
    local value = ngx[key]
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
