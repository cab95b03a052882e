import type kong from 'kong-pdk/kong'

interface Config {
  greeting: string
}

// Greets the client from TypeScript.
class DemoPlugin {
  constructor(private readonly config: Config) {}

  // Runs before the request goes to the upstream.
  async access(kong: kong): Promise<void> {
    const address = await kong.client.getIp()
    await kong.response.setHeader('x-demo-typescript', `${this.config.greeting}, ${address}, from TypeScript`)
  }
}

module.exports = {
  Plugin: DemoPlugin,
  Schema: [{ greeting: { type: 'string', default: 'Hello' } }],
  Version: '1.0.0',
  Priority: 20,
}
