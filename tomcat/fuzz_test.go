package tomcat

import (
	"bytes"
	"strconv"
	"testing"
)

func FuzzServerXML(f *testing.F) {
	f.Add(read(f, "testdata/bitbucket4.xml"), "git.example.com", "/bitbucket")
	f.Add(bytes.ReplaceAll(read(f, "testdata/bitbucket4.xml"), []byte("\n"), []byte("\r\n")), "a&b", "")
	for _, c := range broken {
		f.Add([]byte(c.src), "x", "/x")
	}
	f.Add([]byte("<?xml version='1.0' encoding='GBK'?>"+wrap("<Connector\n port\n=\n'1'/>", "<Context/>")), "\u00fc\u20ac", "/\u00fc")
	f.Add([]byte("<!DOCTYPE Server [<!ENTITY e '1&#50;'>]>"+wrap("<Connector port='&e;' x=\"\n\t\"/>", "<Context path='&e;'/>")), "<>\"'", "/\r\n")
	for _, path := range corpus(f, "server_xml") {
		f.Add(read(f, path), "git.example.com", "/bitbucket")
	}
	f.Fuzz(func(t *testing.T, src []byte, name, path string) {
		s, err := ParseServerXML("server.xml", src)
		if err != nil {
			checkRefusal(t, "server.xml", err)
			return
		}
		before := s.Connectors()
		CheckServerXML(s, 0)
		for i, c := range before {
			port, err := strconv.Atoi(c.Port)
			if err != nil || port == 0 {
				continue
			}
			want := Connector{ProxyName: name, ProxyPort: 8443, Secure: true}
			r, err := s.SetConnector(port, want)
			if err != nil {
				continue
			}
			checkSplices(t, src, r)
			again := mustXML(t, string(r.After))
			if len(again.Connectors()) != len(before) {
				t.Fatalf("connector %d: the others are gone", i)
			}
			if r, err := again.SetConnector(port, want); err != nil || len(r.Splices) != 0 {
				t.Fatalf("second edit: %v %+v", err, r.Splices)
			}
		}
		r, err := s.SetContextPath(0, path)
		if err != nil {
			return
		}
		checkSplices(t, src, r)
		if f, ok := mustXML(t, string(r.After)).ContextPath(0); placeholder(path) == "" && (!ok || f.Value != path) {
			t.Fatalf("context path %q reads back as %q, %v", path, f.Value, ok)
		}
	})
}

func FuzzProperties(f *testing.F) {
	for _, s := range oddProperties {
		f.Add([]byte(s), "k", " v")
		f.Add([]byte("#server.scheme=http\n"+s), "server.scheme", "https")
	}
	f.Add(read(f, "testdata/bitbucket.properties"), "server.proxy-name", "git.example.com")
	for _, path := range corpus(f, "bitbucket_properties") {
		f.Add(read(f, path), "server.context-path", "/bitbucket")
	}
	f.Fuzz(func(t *testing.T, src []byte, key, value string) {
		p, err := ParseProperties("x.properties", src)
		if err != nil {
			checkRefusal(t, "x.properties", err)
			return
		}
		CheckProperties(p)
		want := []Property{{key, value}, {"server.secure", "true"}}
		if key == "server.secure" {
			want = want[:1]
		}
		r, err := p.Edit(want, nil)
		if err != nil && key == "" {
			return // a lone backslash at the end of the file is such a key until something follows it
		}
		if err != nil {
			if value == string([]rune(value)) && key == string([]rune(key)) && key != contextPathKey {
				t.Fatalf("%q: %v", want, err)
			}
			return // not text, or a context path that is set elsewhere
		}
		checkSplices(t, src, r)
		edited := mustProperties(t, string(r.After))
		for _, w := range want {
			if got, ok := edited.Get(w.Key); !ok || got.Value != w.Value {
				t.Fatalf("%q reads back as %q, %v", w, got.Value, ok)
			}
		}
		for _, k := range p.Keys() {
			old, _ := p.Get(k)
			if got, ok := edited.Get(k); k != "" && k != key && k != "server.secure" && (!ok || got.Value != old.Value) {
				t.Fatalf("%q was %q and is %q, %v", k, old.Value, got.Value, ok)
			}
		}
		if r, err := edited.Edit(want, nil); err != nil || len(r.Splices) != 0 {
			t.Fatalf("second edit: %v %+v", err, r.Splices)
		}
	})
}
