package h2

import "golang.org/x/net/http2/hpack"

// Break plants a fault: the next field makes c panic.
func (c *Conn) Break() {
	c.hpack.SetEmitFunc(func(hpack.HeaderField) { panic("planted") })
}
