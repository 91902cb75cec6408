package h2

import "encoding/binary"

// Parameters of SETTINGS (RFC 9113, 6.5.2).
const (
	settingEnablePush        = 2
	settingMaxStreams        = 3
	settingInitialWindowSize = 4
	settingMaxFrameSize      = 5
	settingMaxHeaderList     = 6
	settingExtendedConnect   = 8 // RFC 8441, 3
)

// greet begins the connection (RFC 9113, 3.4) and widens its window.
func (c *Conn) greet() {
	c.out = appendFrame(c.out, 3*6, frameSettings, 0, 0)
	c.out = appendSetting(c.out, settingMaxStreams, uint32(c.limits.Streams))
	c.out = appendSetting(c.out, settingMaxHeaderList, uint32(c.limits.listSize()))
	c.out = appendSetting(c.out, settingInitialWindowSize, maxWindow)
	c.out = appendWindowUpdate(c.out, 0, maxWindow-defaultWindow)
}

// settings applies what the client says about itself (RFC 9113, 6.5).
func (c *Conn) settings(f frame, payload []byte) {
	c.settled = true
	if f.has(flagAck) {
		c.acknowledged()
		return
	}
	c.charge(costSettings)
	for ; len(payload) > 0 && c.failed == nil; payload = payload[6:] {
		c.setting(binary.BigEndian.Uint16(payload), binary.BigEndian.Uint32(payload[2:]))
	}
	if c.failed == nil {
		c.out = appendFrame(c.out, 0, frameSettings, flagAck, 0)
	}
}

// setting needs little: nothing is pushed, frames are never longer than the
// smallest limit, and the encoder of field blocks keeps no table.
func (c *Conn) setting(id uint16, value uint32) {
	switch id {
	case settingEnablePush, settingExtendedConnect:
		if value > 1 {
			c.fail(ProtocolError, "a setting that is on or off is neither 0 nor 1")
		}
	case settingInitialWindowSize:
		if value > maxWindow {
			c.fail(FlowControlError, "SETTINGS_INITIAL_WINDOW_SIZE is beyond all bounds")
			return
		}
		c.moveWindows(int(value) - c.streamWindow)
		c.streamWindow = int(value)
	case settingMaxFrameSize:
		if value < maxFrame || value > 1<<24-1 {
			c.fail(ProtocolError, "SETTINGS_MAX_FRAME_SIZE is beyond its bounds")
		}
	}
}
