package peers

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// DNS is a server of a test's own, by UDP and TCP. A name that has no records does not
// exist.
type DNS struct {
	Address string

	mu     sync.Mutex
	zone   map[string][]dnsmessage.Resource
	broken map[string]dnsmessage.RCode
	long   bool
}

// StartDNS has one on a free port, until the test ends.
func StartDNS(t testing.TB) *DNS {
	t.Helper()
	tcp, udp := bothPorts(t)
	d := &DNS{Address: tcp.Addr().String(), zone: map[string][]dnsmessage.Resource{}, broken: map[string]dnsmessage.RCode{}}
	t.Cleanup(func() { tcp.Close(); udp.Close() })
	go d.datagrams(udp)
	go d.streams(tcp)
	return d
}

// resolves reports whether a DNS server answers there by UDP.
func resolves(address string) bool {
	conn, err := net.Dial("udp", address)
	if err != nil {
		return false
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Second)) // a UDP socket has one
	question := dnsmessage.Message{Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName("localhost."), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}}}
	data, err := question.Pack()
	if err != nil {
		return false
	}
	if _, err := conn.Write(data); err != nil {
		return false
	}
	n, err := conn.Read(make([]byte, 512))
	return err == nil && n > 0
}

// bothPorts are one number. A port that is free for TCP may be somebody's for UDP.
func bothPorts(t testing.TB) (net.Listener, net.PacketConn) {
	t.Helper()
	for try := 0; ; try++ {
		tcp, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		udp, err := net.ListenPacket("udp", tcp.Addr().String())
		if err == nil {
			return tcp, udp
		}
		tcp.Close()
		if !errors.Is(err, syscall.EADDRINUSE) || try == 20 {
			t.Fatal(err)
		}
	}
}

// Host sets the addresses of a name.
func (d *DNS) Host(name string, addresses ...string) {
	for _, a := range addresses {
		ip := netip.MustParseAddr(a)
		if ip.Is4() {
			d.add(name, dnsmessage.TypeA, &dnsmessage.AResource{A: ip.As4()})
		} else {
			d.add(name, dnsmessage.TypeAAAA, &dnsmessage.AAAAResource{AAAA: ip.As16()})
		}
	}
}

// CAA adds a record to a name: `issue`, `ca.test; accounturi=...`.
func (d *DNS) CAA(name string, flags byte, tag, value string) {
	data := append([]byte{flags, byte(len(tag))}, tag+value...)
	d.add(name, 257, &dnsmessage.UnknownResource{Type: 257, Data: data})
}

// TXT adds a record of text.
func (d *DNS) TXT(name, text string) {
	d.add(name, dnsmessage.TypeTXT, &dnsmessage.TXTResource{TXT: []string{text}})
}

// Fail has all questions about a name answered with SERVFAIL.
func (d *DNS) Fail(name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.broken[name+"."] = dnsmessage.RCodeServerFailure
}

// ByTCP has answers by UDP cut off, as long ones are.
func (d *DNS) ByTCP() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.long = true
}

func (d *DNS) add(name string, of dnsmessage.Type, body dnsmessage.ResourceBody) {
	d.mu.Lock()
	defer d.mu.Unlock()
	fqdn := dnsmessage.MustNewName(name + ".")
	d.zone[name+"."] = append(d.zone[name+"."], dnsmessage.Resource{Header: dnsmessage.ResourceHeader{Name: fqdn, Type: of, Class: dnsmessage.ClassINET, TTL: 1}, Body: body})
}

func (d *DNS) datagrams(udp net.PacketConn) {
	buffer := make([]byte, 4096)
	for {
		n, from, err := udp.ReadFrom(buffer)
		if err != nil {
			return // the test has ended
		}
		d.mu.Lock()
		long := d.long
		d.mu.Unlock()
		if answer := d.answer(buffer[:n], long); answer != nil {
			_, _ = udp.WriteTo(answer, from)
		}
	}
}

func (d *DNS) streams(tcp net.Listener) {
	for {
		conn, err := tcp.Accept()
		if err != nil {
			return // the test has ended
		}
		go func() {
			defer conn.Close()
			var length [2]byte
			if _, err := io.ReadFull(conn, length[:]); err != nil {
				return
			}
			question := make([]byte, binary.BigEndian.Uint16(length[:]))
			if _, err := io.ReadFull(conn, question); err != nil {
				return
			}
			answer := d.answer(question, false)
			_, _ = conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...)) //nolint:gosec // of a test
		}()
	}
}

func (d *DNS) answer(question []byte, cut bool) []byte {
	var m dnsmessage.Message
	if err := m.Unpack(question); err != nil || len(m.Questions) != 1 {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	q := m.Questions[0]
	name := strings.ToLower(q.Name.String())
	m.Response, m.RecursionAvailable, m.Additionals = true, true, nil
	all, known := d.zone[name]
	m.RCode = d.broken[name]
	switch {
	case m.RCode != 0:
	case !known:
		m.RCode = dnsmessage.RCodeNameError
	case cut:
		m.Truncated = true
	}
	for _, r := range all {
		if m.RCode == 0 && !m.Truncated && r.Header.Type == q.Type {
			m.Answers = append(m.Answers, r)
		}
	}
	answer, err := m.Pack()
	if err != nil {
		return nil
	}
	return answer
}
