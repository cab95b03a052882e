'use strict'

// Greets the client from JavaScript.
class DemoPlugin {
  constructor(config) {
    this.config = config
  }

  // Runs before the request goes to the upstream.
  async access(kong) {
    const address = await kong.client.getIp()
    await kong.response.setHeader('x-demo-javascript', `${this.config.greeting}, ${address}, from JavaScript`)
  }

  // Runs before a stream goes to the upstream.
  async preread(kong) {
    await kong.log.notice(`demo-js saw a stream from ${await kong.client.getIp()}`)
  }
}

module.exports = {
  Plugin: DemoPlugin,
  Schema: [{ greeting: { type: 'string', default: 'Hello' } }],
  Version: '1.0.0',
  Priority: 30,
}
