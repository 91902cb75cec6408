package stage

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"io"
	"net"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// nameServer answers HAProxy's questions for names, over UDP and TCP (RFC 1035,
// 4.2): every name has an address of the stage, always the same.
type nameServer struct{ open []io.Closer }

func (n *nameServer) listen(address string) error {
	for _, c := range n.open {
		c.Close()
	}
	n.open = nil
	packets, err := net.ListenPacket("udp", address)
	if err != nil {
		return fmt.Errorf("name server: %w", err)
	}
	stream, err := net.Listen("tcp", address)
	if err != nil {
		packets.Close()
		return fmt.Errorf("name server: %w", err)
	}
	n.open = []io.Closer{packets, stream}
	go answerPackets(packets)
	go answerStreams(stream)
	return nil
}

func answerPackets(on net.PacketConn) {
	question := make([]byte, 64<<10)
	for {
		n, from, err := on.ReadFrom(question)
		if err != nil {
			return // closed
		}
		if answer, err := resolved(question[:n]); err == nil {
			_, _ = on.WriteTo(answer, from) // it asks again
		}
	}
}

func answerStreams(on net.Listener) {
	for {
		conn, err := on.Accept()
		if err != nil {
			return // closed
		}
		go func() {
			defer conn.Close()
			for {
				_ = conn.SetDeadline(time.Now().Add(answerTime)) // it opens another
				var size [2]byte
				if _, err := io.ReadFull(conn, size[:]); err != nil {
					return
				}
				question := make([]byte, binary.BigEndian.Uint16(size[:]))
				if _, err := io.ReadFull(conn, question); err != nil {
					return
				}
				answer, err := resolved(question)
				if err != nil {
					return
				}
				if _, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...)); err != nil {
					return
				}
			}
		}()
	}
}

// resolved answers a question for an address; of other kinds a name has nothing.
// The addresses are of ranges for tests and documentation (RFC 2544, RFC 3849).
func resolved(question []byte) ([]byte, error) {
	var m dnsmessage.Message
	if err := m.Unpack(question); err != nil {
		return nil, err
	}
	m.Response, m.RecursionAvailable, m.Answers, m.Additionals = true, m.RecursionDesired, nil, nil
	for _, q := range m.Questions {
		sum := fnv.New32a()
		_, _ = sum.Write([]byte(q.Name.String())) // a hash takes everything
		h := sum.Sum32()
		a := dnsmessage.Resource{Header: dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, TTL: 60}}
		switch q.Type {
		case dnsmessage.TypeA:
			a.Body = &dnsmessage.AResource{A: [4]byte{198, 18, byte(h >> 8), byte(h)}}
		case dnsmessage.TypeAAAA:
			a.Body = &dnsmessage.AAAAResource{AAAA: [16]byte{0x20, 0x01, 0x0d, 0xb8, 14: byte(h >> 8), 15: byte(h)}}
		default:
			continue
		}
		m.Answers = append(m.Answers, a)
	}
	return m.Pack()
}
