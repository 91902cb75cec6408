package tomcat

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var tlsWanted = TLS{Port: 8443, KeyStore: "/home/shared/bitgate-git.example.com.p12", Password: "PASSWORD-HERE", Plain: 7990, Keep: front}

func ours(store string) bool { return strings.HasPrefix(filepath.Base(store), "bitgate-") }

// There and back: a file behind a front, then with TLS of its own, then behind a front
// again, says what it said; only the plain connector stays closed to others.
func TestTLSAndBackInProperties(t *testing.T) {
	const before = "jdbc.password=keep\r\nserver.port=7990\r\nserver.proxy-name=old.example.com\r\nserver.proxy-port=443\r\nserver.scheme=https\r\nserver.secure=true\r\nserver.address=10.0.0.1\r\nserver.require-ssl=true\r\n"
	p := mustProperties(t, before)
	want, gone, err := p.TLSProperties(tlsWanted)
	if err != nil {
		t.Fatal(err)
	}
	r, err := p.Edit(want, gone)
	if err != nil {
		t.Fatal(err)
	}
	checkSplices(t, []byte(before), r)
	with := mustProperties(t, string(r.After))
	for key, value := range map[string]string{
		"server.port": "8443", "server.ssl.enabled": "true", "server.ssl.key-store": tlsWanted.KeyStore, "server.ssl.key-alias": "1",
		"server.ssl.key-store-password": "PASSWORD-HERE", "server.ssl.key-password": "PASSWORD-HERE", "server.scheme": "https", "server.secure": "true",
		"server.additional-connector.1.port": "7990", "server.additional-connector.1.address": "127.0.0.1", "server.proxy-port": "443", "jdbc.password": "keep",
	} {
		if got, ok := with.Get(key); !ok || got.Value != value {
			t.Errorf("%s is %q, want %q", key, got.Value, value)
		}
	}
	for _, key := range []string{"server.address", "server.require-ssl", "server.proxy-name"} {
		if got, ok := with.Get(key); ok {
			t.Errorf("%s is still %q", key, got.Value)
		}
	}
	again, goneAgain, err := with.TLSProperties(TLS{Port: 8443, KeyStore: tlsWanted.KeyStore, Plain: 7990, Keep: front})
	if err != nil {
		t.Fatal(err)
	}
	if r, err := with.Edit(again, goneAgain); err != nil || len(r.Splices) > 0 {
		t.Errorf("the second time something changes: %v %+v", err, r.Splices)
	}
	if want, gone := with.PlainProperties(func(string) bool { return false }); len(want)+len(gone) > 0 {
		t.Error("a key store of the administrator's is taken off")
	}
	wantPlain, gonePlain := with.PlainProperties(ours)
	r, err = with.Edit(append(wantPlain, ConnectorProperties(front)...), gonePlain)
	if err != nil {
		t.Fatal(err)
	}
	back := mustProperties(t, string(r.After))
	for key, value := range map[string]string{"server.port": "7990", "server.address": "127.0.0.1", "server.proxy-name": "git.example.com", "server.scheme": "https"} {
		if got, _ := back.Get(key); got.Value != value {
			t.Errorf("back behind a front %s is %q, want %q", key, got.Value, value)
		}
	}
	for _, key := range back.Keys() {
		if strings.HasPrefix(key, "server.ssl.") || strings.HasPrefix(key, "server.additional-connector.") {
			t.Errorf("back behind a front %s is still there", key)
		}
	}
}

// What stands in the splices stands in plans: neither the password of before nor one
// that is commented out may be among it.
func TestPasswordsAreNotInTheSplices(t *testing.T) {
	for name, src := range map[string]string{
		"live":      "server.ssl.key-store=/x/ssl-keystore\nserver.ssl.key-store-password=theirs-1\nserver.ssl.key-password = theirs-2\n",
		"commented": "#server.ssl.key-store-password=theirs-1\n#server.ssl.key-password=theirs-2\n",
		"continued": "server.ssl.key-store-password=thei\\\n  rs-1\nserver.ssl.key-password:theirs-2",
	} {
		p := mustProperties(t, src)
		want, gone, err := p.TLSProperties(tlsWanted)
		if err != nil {
			t.Fatal(err)
		}
		r, err := p.Edit(want, gone)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, s := range r.Splices {
			if strings.Contains(s.Old+s.New, "theirs-") || strings.Contains(s.Old, "rs-1") {
				t.Errorf("%s: a splice holds a password: %+v", name, s)
			}
		}
		if got, _ := mustProperties(t, string(r.After)).Get("server.ssl.key-password"); got.Value != "PASSWORD-HERE" {
			t.Errorf("%s: the password is %q", name, got.Value)
		}
	}
	src := `<Server><Service name="x"><Connector port="7990"/><Connector port="8443" SSLEnabled="true" keystorePass="theirs-1"/></Service></Server>`
	r, err := mustXML(t, src).SetTLS(tlsWanted)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range r.Splices {
		if strings.Contains(s.Old+s.New, "theirs-") {
			t.Errorf("a splice holds a password: %+v", s)
		}
	}
}

func TestTLSPortOfAnotherConnectorIsRefused(t *testing.T) {
	p := mustProperties(t, "server.additional-connector.1.port=8443\n")
	if _, _, err := p.TLSProperties(tlsWanted); err == nil {
		t.Error("two connectors get one port")
	}
	for _, src := range []string{
		`<Server><Service name="x"><Connector port="7990"/><Connector port="8443" protocol="AJP/1.3"/></Service></Server>`,
		`<Server><Service name="x"><Connector port="8443"/><Connector port="7990"/></Service></Server>`,
	} {
		if _, err := mustXML(t, src).SetTLS(tlsWanted); err == nil {
			t.Errorf("two connectors get one port: %s", src)
		}
	}
}

// The element in both spellings: one that is added, one that is there already, and its
// way back into a comment.
func TestTLSConnectorInServerXML(t *testing.T) {
	shipped, err := os.ReadFile(filepath.Join("testdata", "tls.server.xml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, nested := range []bool{false, true} {
		want := tlsWanted
		want.Nested = nested
		s := mustXML(t, string(shipped))
		r, err := s.SetTLS(want)
		if err != nil {
			t.Fatal(err)
		}
		checkSplices(t, shipped, r)
		with := mustXML(t, string(r.After))
		all := with.Connectors()
		if len(all) != 2 || all[0].Address != "127.0.0.1" || all[0].Attributes["proxyName"] != "" || all[0].Attributes["scheme"] != "" || all[1].Port != "8443" {
			t.Fatalf("nested %v: %+v", nested, all)
		}
		store, password, ok := with.KeyStore(8443)
		if !ok || store.Value != want.KeyStore || password != want.Password {
			t.Errorf("nested %v: the key store is %q with %q", nested, store.Value, password)
		}
		if again, err := with.SetTLS(TLS{Port: 8443, KeyStore: want.KeyStore, Plain: 7990, Nested: nested}); err != nil || !bytes.Equal(again.After, r.After) {
			t.Errorf("nested %v: the second time something changes: %v %+v", nested, err, again.Splices)
		}
		if kept, err := with.ClearTLS(func(string) bool { return false }); err != nil || len(kept.Splices) > 0 {
			t.Errorf("a TLS connector of the administrator's is taken out: %v", err)
		}
		r, err = with.ClearTLS(ours)
		if err != nil {
			t.Fatal(err)
		}
		if all := mustXML(t, string(r.After)).Connectors(); len(all) != 1 || all[0].Port != "7990" || all[0].Address != "127.0.0.1" {
			t.Errorf("nested %v: taken back there is %+v", nested, all)
		}
	}
}

// The public name belongs on the connector that the front talks to, whatever its number.
func TestOfConnector(t *testing.T) {
	for text, c := range map[string]struct {
		add  bool
		want string
	}{
		"server.port=7991\n": {false, "server.proxy-name"},
		"server.port=8443\nserver.additional-connector.3.port=7991\n":                                       {false, "server.additional-connector.3.proxy-name"},
		"server.port=8443\nserver.additional-connector.1.port=7995\n":                                       {true, "server.additional-connector.2.port"},
		"server.port=8443\nserver.additional-connector.1.port=7991\nserver.additional-connector.2.port=1\n": {true, "server.additional-connector.1.proxy-name"},
	} {
		p, err := ParseProperties("bitbucket.properties", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if got := p.OfConnector(7991, Connector{ProxyName: "git.example.com"}, c.add); len(got) == 0 || got[0].Key != c.want {
			t.Errorf("%q: %+v, want %s", text, got, c.want)
		}
	}
}
