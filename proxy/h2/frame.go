package h2

import "encoding/binary"

// preface is what a client begins with (RFC 9113, 3.4).
const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

const (
	headerSize = 9     // of a frame
	maxFrame   = 16384 // bytes of a payload, both ways: SETTINGS_MAX_FRAME_SIZE stays as it is
	maxWindow  = 1<<31 - 1
	maxStream  = 1<<31 - 1
	// Both windows of a connection begin with this (RFC 9113, 6.9.2).
	defaultWindow = 65535
)

// Types of frames (RFC 9113, 6).
const (
	frameData byte = iota
	frameHeaders
	framePriority
	frameReset
	frameSettings
	framePushPromise
	framePing
	frameGoAway
	frameWindowUpdate
	frameContinuation
)

// Flags of frames.
const (
	flagAck        = 0x1
	flagEndStream  = 0x1
	flagEndHeaders = 0x4
	flagPadded     = 0x8
	flagPriority   = 0x20
)

// frame is the header of a frame (RFC 9113, 4.1).
type frame struct {
	length int
	kind   byte
	flags  byte
	stream uint32
}

func parseFrame(b []byte) frame {
	return frame{
		length: int(b[0])<<16 | int(b[1])<<8 | int(b[2]), kind: b[3], flags: b[4],
		stream: binary.BigEndian.Uint32(b[5:]) & maxStream, // the reserved bit is ignored
	}
}

func (f frame) has(flag byte) bool { return f.flags&flag != 0 }

// appendFrame appends the header of a frame.
func appendFrame(to []byte, length int, kind, flags byte, stream uint32) []byte {
	to = append(to, byte(length>>16), byte(length>>8), byte(length), kind, flags)
	return binary.BigEndian.AppendUint32(to, stream)
}

// appendReset appends RST_STREAM (RFC 9113, 6.4).
func appendReset(to []byte, stream uint32, code Code) []byte {
	return binary.BigEndian.AppendUint32(appendFrame(to, 4, frameReset, 0, stream), uint32(code))
}

// appendWindowUpdate appends WINDOW_UPDATE (RFC 9113, 6.9).
func appendWindowUpdate(to []byte, stream uint32, increment int) []byte {
	return binary.BigEndian.AppendUint32(appendFrame(to, 4, frameWindowUpdate, 0, stream), uint32(increment))
}

// appendGoAway appends GOAWAY (RFC 9113, 6.8) without debug data.
func appendGoAway(to []byte, last uint32, code Code) []byte {
	to = binary.BigEndian.AppendUint32(appendFrame(to, 8, frameGoAway, 0, 0), last)
	return binary.BigEndian.AppendUint32(to, uint32(code))
}

// appendPing appends PING (RFC 9113, 6.7).
func appendPing(to []byte, flags byte, data []byte) []byte {
	return append(appendFrame(to, 8, framePing, flags, 0), data...)
}

// appendSetting appends one parameter of a SETTINGS frame (RFC 9113, 6.5.1).
func appendSetting(to []byte, id uint16, value uint32) []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint16(to, id), value)
}

// unpad takes the padding off a payload (RFC 9113, 6.1 and 6.2).
func unpad(f frame, payload []byte) ([]byte, bool) {
	if !f.has(flagPadded) {
		return payload, true
	}
	if len(payload) == 0 || int(payload[0]) > len(payload)-1 {
		return nil, false
	}
	return payload[1 : len(payload)-int(payload[0])], true
}
