package detect

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bitgate/bitbucket"
	"bitgate/setup"
)

// The front is led to where the process listens, whichever of the places says so.
func TestWhereBitbucketListens(t *testing.T) {
	const json = "environment of process 5, SPRING_APPLICATION_JSON"
	for name, c := range map[string]struct {
		properties string
		overrides  []bitbucket.Override
		container  bool
		published  map[string]string
		want       string
		tls        bool
	}{
		"nothing said":               {want: "http://127.0.0.1:7990"},
		"the file":                   {properties: "server.port=7991\nserver.address=127.0.0.2\n", want: "http://127.0.0.2:7991"},
		"a wildcard":                 {properties: "server.address=0.0.0.0\n", want: "http://127.0.0.1:7990"},
		"an IPv6 wildcard":           {properties: "server.address=::\n", want: "http://127.0.0.1:7990"},
		"an IPv6 address":            {properties: "server.address=::1\n", want: "http://[::1]:7990"},
		"localhost":                  {properties: "server.address=localhost\n", want: "http://127.0.0.1:7990"},
		"the environment":            {properties: "server.port=7991\n", overrides: []bitbucket.Override{{Key: "server.port", Where: "environment of process 5, SERVER_PORT", Value: "21091"}}, want: "http://127.0.0.1:21091"},
		"-D over the environment":    {overrides: []bitbucket.Override{{Key: "server.port", Where: "environment of process 5, SERVER_PORT", Value: "1"}, {Key: "server.port", Where: "command line of process 5, -Dserver.port", Value: "2"}}, want: "http://127.0.0.1:2"},
		"JSON":                       {overrides: []bitbucket.Override{{Key: "server.port", Where: json, Value: "3"}, {Key: "server.address", Where: json, Value: "127.0.0.3"}}, want: "http://127.0.0.3:3"},
		"a placeholder":              {properties: "server.port=${PORT:7995}\n", want: "http://127.0.0.1:7995"},
		"a placeholder without":      {properties: "server.port=${PORT}\n", want: "http://127.0.0.1:7990"},
		"an address by placeholder":  {properties: "server.address=${BIND:127.0.0.2}\n", want: "http://127.0.0.2:7990"},
		"other spellings":            {properties: "server.Port : 7991\nserver.ADDRESS=\\u0031\\\n  27.0.0.2\n", want: "http://127.0.0.2:7991"},
		"a connector by variables":   {properties: "server.ssl.enabled=true\n", overrides: []bitbucket.Override{{Key: "server.additional-connector.1.port", Where: "environment of process 5, SERVER_ADDITIONAL_CONNECTOR_1_PORT", Value: "7991"}, {Key: "server.additional-connector.1.address", Where: "environment of process 5, SERVER_ADDITIONAL_CONNECTOR_1_ADDRESS", Value: "127.0.0.4"}}, want: "http://127.0.0.4:7991", tls: true},
		"one with TLS by variables":  {properties: "server.ssl.enabled=true\nserver.additional-connector.2.port=7992\n", overrides: []bitbucket.Override{{Key: "server.additional-connector.1.port", Where: "environment of process 5, SERVER_ADDITIONAL_CONNECTOR_1_PORT", Value: "7991"}, {Key: "server.additional-connector.1.ssl.enabled", Where: "environment of process 5, SERVER_ADDITIONAL_CONNECTOR_1_SSL_ENABLED", Value: "true"}}, want: "http://127.0.0.1:7992", tls: true},
		"a published port":           {properties: "server.port=7991\n", container: true, published: map[string]string{"7991": "127.0.0.1:8990"}, want: "http://127.0.0.1:8990"},
		"a published default port":   {container: true, published: map[string]string{"7990": "192.0.2.1:8990"}, want: "http://192.0.2.1:8990"},
		"another published port":     {container: true, published: map[string]string{"7999": "127.0.0.1:8999"}, want: "http://127.0.0.1:7990"},
		"the port in a container":    {properties: "server.port=7991\n", container: true, want: "http://127.0.0.1:7991"},
		"TLS":                        {properties: "server.ssl.enabled=true\n", want: "http://127.0.0.1:7990", tls: true},
		"TLS by the environment":     {overrides: []bitbucket.Override{{Key: "server.ssl.enabled", Where: "environment of process 5, SERVER_SSL_ENABLED", Value: "true"}}, want: "http://127.0.0.1:7990", tls: true},
		"TLS off by the same":        {properties: "server.ssl.enabled=true\n", overrides: []bitbucket.Override{{Key: "server.ssl.enabled", Where: "environment of process 5, SERVER_SSL_ENABLED", Value: "false"}}, want: "http://127.0.0.1:7990"},
		"server.xml with address":    {want: "http://127.0.0.9:7992", properties: "XML" + `<Connector port="7992" address="127.0.0.9"/>`},
		"an address of this machine": {properties: "server.address=192.0.2.10\nserver.port=7991\n", want: "http://192.0.2.10:7991"},
		"the environment's address":  {properties: "server.address=127.0.0.1\n", overrides: []bitbucket.Override{{Key: "server.address", Where: "environment of process 5, SERVER_ADDRESS", Value: "192.0.2.10"}}, want: "http://192.0.2.10:7990"},
		"an additional connector":    {properties: "server.ssl.enabled=true\nserver.address=192.0.2.10\nserver.additional-connector.1.port=7991\n", want: "http://127.0.0.1:7991", tls: true},
		"its address":                {properties: "server.ssl.enabled=true\nserver.additional-connector.1.port=7991\nserver.additional-connector.1.address=192.0.2.11\n", want: "http://192.0.2.11:7991", tls: true},
		"beside one that is plain":   {properties: "server.address=192.0.2.10\nserver.additional-connector.1.port=7991\nserver.additional-connector.1.address=127.0.0.1\n", want: "http://192.0.2.10:7990"},
		"server.xml, several":        {want: "http://192.0.2.10:7990", properties: "XML" + `<Connector port="7991" address="127.0.0.1"/><Connector port="7990" address="192.0.2.10"/>`},
		"beside AJP by its class":    {want: "http://127.0.0.1:8080", properties: "XML" + `<Connector port="8009" protocol="org.apache.coyote.ajp.AjpNioProtocol"/><Connector port="8080"/>`},
		"beside AJP, small":          {want: "http://127.0.0.1:8080", properties: "XML" + `<Connector port="8009" protocol="ajp/1.3"/><Connector port="8080" protocol="org.apache.coyote.http11.Http11NioProtocol"/>`},
		"a protocol by property":     {want: "http://127.0.0.1:8080", properties: "XML" + `<Connector port="8080" protocol="${bb.protocol}"/>`},
		"server.xml with TLS only":   {want: "http://127.0.0.1:8443", properties: "XML" + `<Connector port="8443" SSLEnabled="true"/>`, tls: true},
	} {
		var container *bitbucket.Container
		if c.container {
			container = &bitbucket.Container{Published: c.published}
		}
		f := configured(t, c.properties, c.overrides, container)
		f.readOverrides()
		if got := f.ownAddress(); got != c.want || (f.OwnTLS.Set && strings.EqualFold(f.OwnTLS.Value, "true")) != c.tls {
			t.Errorf("%s: %s, TLS %+v; want %s", name, got, f.OwnTLS, c.want)
		}
	}
}

// configured is a Bitbucket with these settings, of which the files have been read: its
// properties or, behind "XML", the Connectors of its server.xml.
func configured(t *testing.T, settings string, overrides []bitbucket.Override, container *bitbucket.Container) facts {
	t.Helper()
	home := t.TempDir()
	f := facts{Facts: setup.Facts{Bitbucket: bitbucket.Install{Home: home, Version: "9.4.16", Overrides: overrides, Container: container}}}
	file := "bitbucket.properties"
	if xml, ok := strings.CutPrefix(settings, "XML"); ok {
		f.Bitbucket.Version = "4.14.3"
		file, settings = "server.xml", fmt.Sprintf("<Server><Service>%s<Engine><Host><Context path=\"\"/></Host></Engine></Service></Server>", xml)
	}
	err := errors.Join(os.Mkdir(filepath.Join(home, "shared"), 0o755), os.WriteFile(filepath.Join(home, "shared", file), []byte(settings), 0o644))
	if err == nil {
		f.Layout, err = f.Bitbucket.Layout()
	}
	if err == nil {
		err = f.readUpstreamFiles()
	}
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// The context path is that of the process, whichever of the places says so, in a
// container too; the URL that is proposed has it.
func TestContextPathOfTheProcess(t *testing.T) {
	env := func(value string) []bitbucket.Override {
		return []bitbucket.Override{
			{Key: "server.context-path", Where: "environment of process 5, SERVER_CONTEXT_PATH", Value: value},
			{Key: "server.proxy-name", Where: "environment of process 5, SERVER_PROXY_NAME", Value: "git.example.com"},
		}
	}
	for name, c := range map[string]struct {
		properties string
		overrides  []bitbucket.Override
		container  *bitbucket.Container
		known      bool
		want       string
	}{
		"the file":          {properties: "server.context-path=/bitbucket\n", known: true, want: "/bitbucket"},
		"other spelling":    {properties: "server.contextPath=/bitbucket\n", known: true, want: "/bitbucket"},
		"the environment":   {properties: "server.context-path=/old\n", overrides: env("/bitbucket"), known: true, want: "/bitbucket"},
		"in a container":    {overrides: env("bitbucket/"), container: &bitbucket.Container{}, known: true, want: "/bitbucket"},
		"the root by it":    {properties: "server.context-path=/old\n", overrides: env("/"), known: true},
		"empty":             {properties: "server.context-path=/old\n", overrides: env(""), known: true},
		"a placeholder":     {properties: "server.context-path=${CTX:/bitbucket}\n"},
		"one that is given": {overrides: env("${CTX}")},
		"nothing":           {known: true},
	} {
		f := configured(t, c.properties, c.overrides, c.container)
		f.readOverrides()
		if f.ContextPath.Set != c.known || f.ContextPath.Value != c.want {
			t.Errorf("%s: %+v", name, f.ContextPath)
		}
		if url, _ := setup.SuggestURL(f.Facts); len(c.overrides) > 0 && c.known && url.BaseURL() != "https://git.example.com"+c.want {
			t.Errorf("%s: proposed is %s", name, url)
		}
	}
}
