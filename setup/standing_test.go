package setup

import (
	"fmt"
	"strings"
	"testing"

	"bitgate/bitbucket"
	"bitgate/internal/atomicfile"
	"bitgate/internal/peers"
	"bitgate/internal/problem"
	"bitgate/internal/publicurl"
	"bitgate/tomcat"
)

// Where Bitbucket terminates TLS itself nobody is told to turn that off.
func TestFindingsForOwnTLS(t *testing.T) {
	f := Facts{Findings: []problem.Finding{{ID: tomcat.OwnTLS, Level: problem.Warn}, {ID: "connector", Level: problem.Warn}}}
	for front, want := range map[string]int{FrontTomcat: 1, FrontHAProxy: 2, FrontBuiltin: 2} {
		if got := f.FindingsFor(Answers{Front: front}); len(got) != want {
			t.Errorf("%s: %+v", front, got)
		}
	}
}

// Nobody is told to do by hand what the plan itself does; what it leaves is told.
func TestAdviceThatThePlanFollows(t *testing.T) {
	url, err := publicurl.Parse("https://git.example.com/bitbucket")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		properties, xml string
		skip            []string
		overrides       []bitbucket.Override
		told            string // part of what is told, "" for nothing
	}{
		"all of it":             {properties: "server.require-ssl=true\nserver.scheme=https\nserver.proxy-name=x\nserver.context-path=/bitbucket/\n"},
		"the connector is left": {properties: "server.require-ssl=true\nserver.context-path=/bitbucket/\n", skip: []string{StepConnector}, told: "server.require-ssl=true"},
		"the path is left":      {properties: "server.context-path=/bitbucket/\n", skip: []string{StepContextPath}, told: "server.context-path=/bitbucket/"},
		"something beats it":    {properties: "server.require-ssl=true\n", overrides: []bitbucket.Override{{Key: "server.secure", Where: "environment of process 5, SERVER_SECURE", Value: "false"}}, told: "server.require-ssl=true"},
		"what stays as it is":   {properties: "server.port=7990\nserver.port=7990\nserver.scheme=https\n", told: "duplicate key server.port"},
		"server.xml":            {xml: `<Connector port="7990" scheme="https"/>`},
		"server.xml is left":    {xml: `<Connector port="7990" scheme="https"/>`, skip: []string{StepConnector}, told: "secure"},
	} {
		f := Facts{Port: Known{Value: "7990", Set: true}, Bitbucket: bitbucket.Install{Overrides: c.overrides}}
		if f.Layout.Properties = "/h/bitbucket.properties"; c.xml != "" {
			f.Layout = bitbucket.Layout{ServerXML: "/h/server.xml"}
			f.ServerXML = atomicfile.File{Path: "/h/server.xml", Data: []byte("<Server><Service>" + c.xml + `<Engine><Host><Context path="/bitbucket"/></Host></Engine></Service></Server>`)}
			xml, err := tomcat.ParseServerXML(f.ServerXML.Path, f.ServerXML.Data)
			if err != nil {
				t.Fatal(err)
			}
			f.ContextPath = Known{Value: "/bitbucket", Set: true}
			f.Findings = tomcat.CheckServerXML(xml, 7990)
		} else {
			f.Properties = atomicfile.File{Path: "/h/bitbucket.properties", Data: []byte(c.properties)}
			p, err := tomcat.ParseProperties(f.Properties.Path, f.Properties.Data)
			if err != nil {
				t.Fatal(err)
			}
			f.Findings = tomcat.CheckProperties(p)
		}
		if len(f.Findings) == 0 {
			t.Errorf("%s: nothing to be told of", name)
		}
		b := builder{f: f, a: Answers{URL: url, Upstream: "http://127.0.0.1:7990", Front: FrontHAProxy, Skip: c.skip}}
		_, err := b.step(StepContextPath, b.contextPath)
		if err == nil {
			_, err = b.step(StepConnector, b.connector)
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var told []string
		for _, f := range b.standing() {
			if f.Level != problem.Note {
				told = append(told, f.Found)
			}
		}
		if (len(told) > 0) != (c.told != "") || !strings.Contains(strings.Join(told, "; "), c.told) {
			t.Errorf("%s: told %q, want %q", name, told, c.told)
		}
	}
}

// TestFindingsOfAHostileFile: whoever owns server.xml can make it hold tens of thousands of
// them. Four times as many cost about four times the CPU time, where it was sixteen times.
func TestFindingsOfAHostileFile(t *testing.T) {
	peers.Linear(t, "the findings that stand", func(n int) func() error {
		var text strings.Builder
		for port := range n {
			fmt.Fprintf(&text, `<Connector port="1%05d"/>`, port)
		}
		file := atomicfile.File{Path: "/h/server.xml", Data: []byte("<Server><Service>" + text.String() + `<Connector port="7990"/><Engine><Host><Context/></Host></Engine></Service></Server>`)}
		xml, err := tomcat.ParseServerXML(file.Path, file.Data)
		if err != nil {
			t.Fatal(err)
		}
		b := builder{f: Facts{Port: Known{Value: "7990", Set: true}, Layout: bitbucket.Layout{ServerXML: file.Path}, ServerXML: file, Findings: tomcat.CheckServerXML(xml, 7990)}}
		return func() error {
			if told := b.standing(); len(told) != len(b.f.Findings) || len(told) < 100 {
				return fmt.Errorf("%d findings of %d", len(told), len(b.f.Findings))
			}
			return nil
		}
	})
}
