'use strict'

// `server [<certificate> <key>]`: sends every message back, closes as it is told by the message `close <code> <reason>`, and prints its port,
// then each close that a client asks for. `client <url> <key>`: plays all of the test against it and prints what it saw.
const crypto = require('crypto')
const fs = require('fs')
const http = require('http')
const https = require('https')
const { WebSocket, WebSocketServer } = require('ws')

const SIZES = [0, 1, 125, 126, 127, 1000, 65535, 65536, 65537, 200000, 1 << 20]

function server(certificate, key) {
  const pair = certificate && { cert: fs.readFileSync(certificate), key: fs.readFileSync(key) }
  const listener = pair ? https.createServer(pair) : http.createServer()
  listener.listen(0, '127.0.0.1', () => console.log(listener.address().port))
  const server = new WebSocketServer({ server: listener, maxPayload: 4 << 20 })
  server.on('connection', (socket, request) => {
    socket.on('error', (error) => console.log(`error ${error.message}`))
    socket.on('close', (code, reason) => console.log(`closed ${code} ${reason} ${request.headers['x-gate']}`))
    socket.on('message', (data, isBinary) => {
      const [word, code, reason] = isBinary ? [] : data.toString().split(' ')
      if (word === 'close') return socket.close(Number(code), reason)
      socket.send(data, { binary: isBinary })
    })
  })
}

const open = (url) =>
  new Promise((resolve, reject) => {
    const socket = new WebSocket(url, { rejectUnauthorized: false, headers: { 'X-Key': process.argv[4] } })
    socket.on('open', () => resolve(socket))
    socket.on('error', reject)
  })
const once = (socket, event) => new Promise((resolve) => socket.once(event, (...args) => resolve(args)))

async function client(url) {
  const socket = await open(url)
  for (let number = 0; number < 1000; number++) {
    // The largest now and then only: all of it passes through two connections and back.
    const size = number % 100 === 99 ? SIZES[10] : SIZES[number % 10]
    const isBinary = number % 2 === 1
    const sent = isBinary ? crypto.randomBytes(size) : Buffer.from('x'.repeat(size))
    socket.send(sent, { binary: isBinary })
    const [data, binary] = await once(socket, 'message')
    if (binary !== isBinary || !sent.equals(data)) throw new Error(`message ${number} came back as another one`)
  }
  socket.ping('are you there')
  const [pong] = await once(socket, 'pong')
  console.log(`echoed 1000, ${pong}`)
  socket.close(4001, 'enough')
  const [code] = await once(socket, 'close')
  console.log(`closed ${code}`)

  const told = await open(url)
  told.send('close 4002 go')
  const [own, reason] = await once(told, 'close')
  console.log(`told ${own} ${reason}`)
}

if (process.argv[2] === 'server') server(...process.argv.slice(3))
else client(process.argv[3]).catch((error) => { console.log(error.message); process.exit(1) })
