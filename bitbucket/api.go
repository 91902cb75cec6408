// Package bitbucket knows the instance: where it is installed, which version
// and generation it is, who owns it, what overrides its files, and how to talk
// to it over HTTP (status, version, base URL, SSH settings).
package bitbucket

import "context"

// Secret holds a password. It redacts itself in every format, refuses to be
// marshalled, and can be wiped.
type Secret struct{}

// NewSecret takes ownership of b.
func NewSecret(b []byte) Secret { panic("not built yet") }

// Reveal returns the bytes; the caller must not keep or print them.
func (s Secret) Reveal() []byte { panic("not built yet") }

// Wipe overwrites the bytes.
func (s Secret) Wipe() { panic("not built yet") }

// Override is a setting outside the files that beats them (environment, -D,
// SPRING_APPLICATION_JSON of the process or its unit).
type Override struct {
	Key   string // property key, e.g. "server.context-path"
	Where string // e.g. "environment of process 812, SERVER_CONTEXT_PATH"
	Value string // as set; "" where the key could hold a secret
}

// Search says where to look. Zero fields are found out.
type Search struct {
	Home, Install, Version string // the administrator's word, beats detection
	Proc                   string // "/proc"; tests use a directory of their own
	Root                   string // "" or a prefix before the default paths, for tests
}

// Install is what Detect found on disk and in the process table. Why names the
// source of each found field, by field name ("Home": "-Dbitbucket.home of process 812").
type Install struct {
	Product   string // "Bitbucket" or "Stash"
	Version   string // "9.4.16", "" if unknown
	Home      string
	Dir       string // install directory, "" if unknown
	UID, GID  int    // owner of the home (-1 unknown)
	PID       int    // running process, 0 if none seen
	Container bool   // runs in a container: its environment is the place for settings
	Overrides []Override
	Why       map[string]string
	Notes     []string // what a person should know, e.g. both property files present
}

// Layout is where this generation keeps its settings. Paths are absolute;
// ServerXML is "" from 5.0 on, ScriptsCfg only exists in 3.x and 4.x.
type Layout struct {
	Generation string // "stash-1", "stash-2", "stash-3.2", "stash-3.8", "bitbucket-4", "bitbucket-5" (5.0 and later)
	ServerXML  string // file to edit
	Properties string // bitbucket.properties or stash-config.properties
	ScriptsCfg string
	DeadXML    string // a server.xml that this generation does not read, where one lies about
}

// UsesProperties reports whether connector and context path live in the properties file (5.0+).
func (l Layout) UsesProperties() bool { return l.ServerXML == "" }

// Detect finds the installation. It only reads. An install that cannot be
// found is not an error: the fields stay empty.
func Detect(ctx context.Context, s Search) (Install, error) { panic("not built yet") }

// Layout applies the table of generations to the install (it looks which of
// shared/server.xml and conf/server.xml exists for 3.x and 4.x).
func (i Install) Layout() (Layout, error) { panic("not built yet") }

// State is what {context}/status says.
type State string

const (
	Running     State = "RUNNING"
	FirstRun    State = "FIRST_RUN"
	Starting    State = "STARTING"
	Maintenance State = "MAINTENANCE"
	Stopping    State = "STOPPING"
	StateError  State = "ERROR"
	Unreachable State = "UNREACHABLE" // nothing answers, or not as Bitbucket does
)

// Options of a Client.
type Options struct {
	CAFile string // PEM with additional roots for https bases
	// DialAddr, if set, is dialled instead of the base's host and port (tests
	// and `verify --connect`); TLS still checks the base's name.
	DialAddr string
}

// Client talks to one instance under one base address (context path included).
// Credentials go in clear text only to loopback or an address of this machine.
type Client struct{}

// NewClient takes e.g. "http://127.0.0.1:7990/bitbucket".
func NewClient(base string, o Options) (*Client, error) { panic("not built yet") }

// Status asks {base}/status. Unreachable with a nil error means: no such answer; the string says why.
func (c *Client) Status(ctx context.Context) (State, string) { panic("not built yet") }

// Version asks rest/api/1.0/application-properties (no authentication).
func (c *Client) Version(ctx context.Context) (version, displayName string, err error) {
	panic("not built yet")
}

// PublicBaseURL reads the base URL anonymously from the applinks manifest.
// known is false where the instance does not tell.
func (c *Client) PublicBaseURL(ctx context.Context) (url string, known bool) { panic("not built yet") }

// Method is a way to change the base URL.
type Method string

const (
	MethodAuto    Method = "auto"    // confapi where it answers, else the form
	MethodConfAPI Method = "confapi" // ConfAPI plugin
	MethodForm    Method = "form"    // the administration form, as a browser would
)

// Session is a logged-in administrator. Its errors are *problem.Error with
// kind Credentials where the account is the reason (wrong password, CAPTCHA,
// Basic off, token on an admin page, WebSudo refused, second factor).
type Session struct{}

// Login logs in once; it never retries a password.
func (c *Client) Login(ctx context.Context, user string, password Secret, m Method) (*Session, error) {
	panic("not built yet")
}

// Settings are the server settings bitgate reads and changes.
type Settings struct {
	BaseURL    string
	SSHEnabled bool
	SSHBaseURL string
	Method     Method   // how they were read
	AppLinks   []string // "Jira (https://jira.example.com)", where they can be read
}

// Settings reads them.
func (s *Session) Settings(ctx context.Context) (Settings, error) { panic("not built yet") }

// SetURLs changes the base URL and, where sshBaseURL is not "", the SSH base
// URL in the same request, then reads everything back and compares every other field.
func (s *Session) SetURLs(ctx context.Context, baseURL, sshBaseURL string) error {
	panic("not built yet")
}
