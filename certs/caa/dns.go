package caa

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"bitgate/internal/hostport"
)

const (
	typeCAA = dnsmessage.Type(257)

	tries   = 3 // datagrams get lost
	oneTry  = 3 * time.Second
	maxText = 64 << 10 // of an answer, in bytes
)

// Resolver is who this machine asks, the first of resolv.conf(5) with its port; "" for
// nobody.
func Resolver() string {
	data, err := os.ReadFile("/etc/resolv.conf")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(data)) {
		if w := strings.Fields(line); len(w) > 1 && w[0] == "nameserver" {
			return hostport.Addr{Host: w[1], Port: 53}.String()
		}
	}
	return ""
}

// ask is one question to a resolver: by UDP, and by TCP where the answer does not fit.
// A name that does not exist has no records.
func ask(ctx context.Context, resolver, name string) ([]Record, error) {
	question, id, err := question(name)
	if err != nil {
		return nil, err
	}
	var out []Record
	var again bool
	for range tries {
		out, again, err = talk(ctx, "udp", resolver, question, id)
		var timeout net.Error
		if !errors.As(err, &timeout) || !timeout.Timeout() || ctx.Err() != nil {
			break
		}
	}
	if err == nil && again {
		out, _, err = talk(ctx, "tcp", resolver, question, id)
	}
	if err != nil {
		return nil, fmt.Errorf("%s was asked for the CAA records of %s: %w", resolver, name, err)
	}
	return out, nil
}

func question(name string) (message []byte, id uint16, err error) {
	fqdn, err := dnsmessage.NewName(name + ".")
	if err != nil {
		return nil, 0, fmt.Errorf("%q is no name in DNS: %w", name, err)
	}
	id = uint16(rand.Uint32()) //nolint:gosec // with the port it tells answers apart; who can forge them inside can do so to all programs here
	m := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: id, RecursionDesired: true},
		Questions: []dnsmessage.Question{{Name: fqdn, Type: typeCAA, Class: dnsmessage.ClassINET}},
	}
	message, err = m.Pack()
	return message, id, err
}

func talk(ctx context.Context, network, resolver string, question []byte, id uint16) (out []Record, truncated bool, err error) {
	ctx, done := context.WithTimeout(ctx, oneTry)
	defer done()
	conn, err := new(net.Dialer).DialContext(ctx, network, resolver)
	if err != nil {
		return nil, false, err
	}
	defer conn.Close()
	if at, has := ctx.Deadline(); has {
		if err := conn.SetDeadline(at); err != nil {
			return nil, false, err
		}
	}
	if network == "tcp" {
		question = append(binary.BigEndian.AppendUint16(nil, uint16(len(question))), question...) //nolint:gosec // far shorter
	}
	if _, err := conn.Write(question); err != nil {
		return nil, false, err
	}
	buffer := make([]byte, maxText)
	for { // an answer to another question is none
		n, err := read(conn, network, buffer)
		if err != nil {
			return nil, false, err
		}
		if n >= 2 && binary.BigEndian.Uint16(buffer) == id {
			return records(buffer[:n])
		}
	}
}

func read(conn net.Conn, network string, buffer []byte) (int, error) {
	if network == "udp" {
		return conn.Read(buffer)
	}
	var length [2]byte
	if _, err := io.ReadFull(conn, length[:]); err != nil {
		return 0, err
	}
	return io.ReadFull(conn, buffer[:binary.BigEndian.Uint16(length[:])])
}

// records are those of an answer. A CNAME was followed by the resolver.
func records(answer []byte) (out []Record, truncated bool, err error) {
	var p dnsmessage.Parser
	h, err := p.Start(answer)
	switch {
	case err != nil:
		return nil, false, err
	case h.Truncated:
		return nil, true, nil
	case h.RCode == dnsmessage.RCodeNameError:
		return nil, false, nil
	case h.RCode != dnsmessage.RCodeSuccess:
		return nil, false, fmt.Errorf("it answers %s", rcode(h.RCode))
	}
	if err := p.SkipAllQuestions(); err != nil {
		return nil, false, err
	}
	for {
		r, err := p.Answer()
		if errors.Is(err, dnsmessage.ErrSectionDone) {
			return out, false, nil
		}
		if err != nil {
			return nil, false, err
		}
		raw, is := r.Body.(*dnsmessage.UnknownResource)
		if !is || r.Header.Type != typeCAA {
			continue
		}
		one, err := parse(raw.Data)
		if err != nil {
			return nil, false, err
		}
		out = append(out, one)
	}
}

// parse reads a record's data: flags, length of the tag, tag, value (RFC 8659, 4.1).
func parse(data []byte) (Record, error) {
	if len(data) < 2 || int(data[1]) == 0 || len(data) < 2+int(data[1]) {
		return Record{}, errors.New("it answers with a CAA record that is none")
	}
	end := 2 + int(data[1])
	return Record{Critical: data[0]&0x80 != 0, Tag: string(data[2:end]), Value: string(data[end:])}, nil
}

// rcode is as tools for DNS spell it.
func rcode(c dnsmessage.RCode) string {
	switch c {
	case dnsmessage.RCodeServerFailure:
		return "SERVFAIL"
	case dnsmessage.RCodeRefused:
		return "REFUSED"
	}
	return c.GoString()
}
