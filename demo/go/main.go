// demo-go greets the client from Go.
package main

import (
	"github.com/Kong/go-pdk"
	"github.com/Kong/go-pdk/server"
)

const (
	version  = "1.0.0"
	priority = 40
)

// Config is the plugin's `config`.
type Config struct {
	Greeting string
}

func newConfig() interface{} {
	return &Config{}
}

// Access runs before the request goes to the upstream.
func (config *Config) Access(kong *pdk.PDK) {
	address, err := kong.Client.GetIp()
	if err != nil {
		kong.Log.Err("no client address: ", err.Error())
		return
	}
	kong.Response.SetHeader("x-demo-go", config.Greeting+", "+address+", from Go")
}

// Preread runs before a stream goes to the upstream.
func (config *Config) Preread(kong *pdk.PDK) {
	address, err := kong.Client.GetIp()
	if err != nil {
		kong.Log.Err("no client address: ", err.Error())
		return
	}
	kong.Log.Notice("demo-go saw a stream from ", address)
}

func main() {
	server.StartServer(newConfig, version, priority)
}
