package peers

import (
	"embed"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// catalinaHome is where Debian's tomcat10 lives. Its etc folder holds the stock
// configuration, readable for every user, unlike /etc/tomcat10.
const catalinaHome = "/usr/share/tomcat10"

// The web application: x.jsp says what the page sees of the client's
// connection, go.jsp redirects to it, /status answers as Bitbucket's does.
//
//go:embed app
var app embed.FS

// TomcatOptions change what NewTomcat makes; the zero value is a Tomcat as
// Bitbucket 4.x brings it before anybody edited it.
type TomcatOptions struct {
	Context string // Context/@path, "" for the root
	// RelativeRedirects leaves Tomcat 10's default on. Tomcat 8 and 9, which
	// Bitbucket 4.x to 8.x bring, send absolute redirects.
	RelativeRedirects bool
}

// Tomcat is a real Tomcat 10 with a CATALINA_BASE of its own.
type Tomcat struct {
	*Process        // nil before Start
	Base     string // CATALINA_BASE
	Port     int    // of its one HTTP connector, on the loopback address
}

// NewTomcat lays out a CATALINA_BASE without starting it: the stock
// configuration, a loopback connector on a free port, and a Context in the Host
// as Bitbucket's own server.xml has it.
func NewTomcat(t testing.TB, o TomcatOptions) *Tomcat {
	t.Helper()
	Need(t, "tomcat")
	c := &Tomcat{Base: t.TempDir(), Port: FreePort(t)}
	for _, dir := range []string{"logs", "work", "temp", "webapps"} {
		must(t, os.Mkdir(filepath.Join(c.Base, dir), 0o755))
	}
	must(t, os.CopyFS(filepath.Join(c.Base, "conf"), os.DirFS(filepath.Join(catalinaHome, "etc"))))
	pages, err := fs.Sub(app, "app")
	must(t, err)
	must(t, os.CopyFS(filepath.Join(c.Base, "app"), pages))

	stock, err := os.ReadFile(c.ServerXML())
	must(t, err)
	context := fmt.Sprintf(`<Context path="%s" docBase="${catalina.base}/app" reloadable="false" useHttpOnly="true" useRelativeRedirects="%t"/>`,
		o.Context, o.RelativeRedirects)
	ours := strings.NewReplacer(
		`<Connector port="8080" `, fmt.Sprintf(`<Connector port="%d" address="127.0.0.1" `, c.Port),
		`</Host>`, "  "+context+"\n      </Host>",
	).Replace(string(stock))
	if !strings.Contains(ours, context) || !strings.Contains(ours, `address="127.0.0.1"`) {
		t.Fatalf("%s is not the server.xml this helper knows", c.ServerXML())
	}
	must(t, os.WriteFile(c.ServerXML(), []byte(ours), 0o640))
	return c
}

// ServerXML is the path of its server.xml, for a test to edit before Start.
func (c *Tomcat) ServerXML() string { return filepath.Join(c.Base, "conf", "server.xml") }

// Address is its connector, "127.0.0.1:PORT".
func (c *Tomcat) Address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(c.Port)) }

// URL is the plain HTTP address of the connector, without a context path.
func (c *Tomcat) URL() string { return "http://" + c.Address() }

// Start runs it and waits for its connector, which Tomcat opens once the web
// application is there. After Stop it may be started again.
func (c *Tomcat) Start(t testing.TB) {
	t.Helper()
	cmd := exec.Command(filepath.Join(catalinaHome, "bin", "catalina.sh"), "run")
	cmd.Dir = c.Base
	cmd.Env = []string{
		"PATH=" + filepath.Dir(Path(t, "java")) + ":/usr/bin:/bin",
		"LC_ALL=C.UTF-8",
		"CATALINA_HOME=" + catalinaHome,
		"CATALINA_BASE=" + c.Base,
		"JAVA_OPTS=-Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1",
	}
	c.Process = Start(t, cmd)
	c.waitReady(t, c.Address())
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
