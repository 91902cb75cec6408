package setup

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"bitgate/bitbucket"
	"bitgate/certs"
	"bitgate/haproxy"
	"bitgate/haproxy/live"
	"bitgate/internal/atomicfile"
	"bitgate/internal/problem"
	"bitgate/internal/service"
	"bitgate/tomcat"
)

// Facts are what was found on the machine; never a guess. Detect makes them,
// Build only reads them.
type Facts struct {
	Scope     *Scope // what they were gathered for; nil where nobody looked
	Root      string // before the paths of this machine; "" outside tests
	Bitbucket bitbucket.Install
	Layout    bitbucket.Layout // zero when the version is unknown
	Instance  Instance
	Nodes     []NodeState // of the answers' nodes, in their order
	NFS       Known       // the shared home, where it is on NFS
	Cluster   Known       // why this looks like one node of several

	Properties atomicfile.File   // the layout's properties file
	ServerXML  atomicfile.File   // the layout's server.xml, zero from 5.0 on
	ScriptsCfg atomicfile.File   // conf/scripts.cfg of 3.x and 4.x
	Tree       *tomcat.ServerXML // of ServerXML's bytes; nil where there is none

	ContextPath Known    // the path Bitbucket has now, "" = root
	ProxyName   Known    // what the connector says today
	Port        Known    // the connector's port
	Address     Known    // where it listens, as the process has it; "" for all addresses
	OwnTLS      Known    // that this connector does TLS itself
	OwnStore    OwnStore // the key store of Bitbucket's own TLS
	Imported    string   // bundle of cert import, or the placeholder of cert request, for the host
	PlainPort   string   // an additional connector that does not, "" for none
	HeadLimit   Known    // bytes of a request's head that it takes, where its files say so
	StashConfig string   // a properties file of Stash's that nobody has brought over, "" for none

	HAProxy       live.Install
	HAProxyFiles  []atomicfile.File // its file set in load order
	HAProxyConfig haproxy.Config    // the same bytes, parsed
	HostNames     []string          // those of /etc/hosts
	NoResolver    bool              // there is no /etc/resolv.conf
	HandMade      []string          // its sections that look made by hand for Bitbucket
	ProxyConfig   atomicfile.File   // proxy.yaml of the built-in front
	ProxyUnit     atomicfile.File   // its systemd unit, where setup writes one
	PackagedUnit  PackagedUnit      // the package's, zero where it is not what would start this front
	Systemd       bool
	BitbucketCtl  service.Control
	HAProxyCtl    service.Control
	Certificate   Certificate
	Account       string            // thumbprint of the key of our accounts at authorities, "" before there is one
	Rivals        []problem.Finding // who else renews a certificate for the name that bitgate orders for
	Authority     Authority         // what the one says that a certificate is to be ordered from
	Certificates  []CertificateFile // certificates with their keys that lie in the usual places
	FrontReader   Reader            // who reads the bundle
	Timer         Timer             // what renews the certificate
	Proxies       Proxies           // the way out, as the environment has it
	Bundle        atomicfile.File   // what lies at the bundle's path today
	KeyStore      KeyStore          // the same without a front
	Served        string            // without a front: SHA-256 of the certificate that Bitbucket serves now, "" where it serves none
	Tomcat        int               // major version of a Tomcat that Bitbucket came with or was moved to, 0 where it is not known
	Listeners     []Listener
	ProgramPath   string           // this binary, for the unit: where it lies, or will lie
	Installation  *Installation    // how it gets there; nil where it is there
	StateDir      string           // with journals and what is kept of certificates
	RenewFault    *problem.Finding // why no timer can run this binary from there
	ProgramFault  *problem.Finding // why a unit must not or cannot run it from there
	UnitFault     *problem.Finding // why systemd does not start the built-in proxy's unit
	ConfigFault   *problem.Finding // why a unit cannot read its configuration where it is to be
	OpenRun       string           // id of an unfinished earlier run, "" for none
	Deployed      *Deployment      // what renewals go by now, nil where no run that stands set up a front
	Findings      []problem.Finding
	DeadFiles     []string // configuration that this generation does not read
}

// FindingsFor are the findings that count with these answers: TLS of Bitbucket's own is
// none where it is wanted, and turning it off would take the site down.
func (f Facts) FindingsFor(a Answers) []problem.Finding {
	return slices.DeleteFunc(slices.Clone(f.Findings), func(found problem.Finding) bool {
		return found.ID == tomcat.OwnTLS && a.Front == FrontTomcat
	})
}

// Scope is what of the answers decides what is looked at: facts hold for no other.
type Scope struct {
	Host  string // of the public URL
	Port  int
	Paths Paths
	Cert  certs.Paths
	Order string // how a certificate is ordered, "" where none is
	Nodes string
}

// ScopeOf takes it out of answers, resolved or not.
func ScopeOf(a Answers, h live.Install) Scope {
	s := Scope{Paths: Where(a, h), Cert: CertPaths(a), Nodes: strings.Join(a.Nodes, " ")}
	if !a.URL.IsZero() {
		s.Host, s.Port = a.URL.Host(), a.URL.Port()
	}
	if o := a.Order(); a.Orders() {
		s.Order = strings.Join([]string{o.Directory, o.KeyType, o.Profile}, " ")
	}
	return s
}

// stale refuses facts that were gathered for other answers: a certificate that was
// judged for another name, a bundle that nobody looked for.
func (f Facts) stale(a Answers) error {
	if f.Scope == nil || *f.Scope == ScopeOf(a, f.HAProxy) {
		return nil
	}
	return problem.New("the machine was looked at for another public URL, certificate, front or list of nodes",
		"what was found then may not hold for this one", "look again: go back to the question and answer it, or start again")
}

// PackagedUnit is a systemd unit that came with the program. It is used as it is, so
// that the next version of the package brings its own.
type PackagedUnit struct {
	Path    string // "" for none
	Enabled bool   // it is started at boot
	Running bool
}

// Reader is the user as whom a service reads its files; the zero one is root.
type Reader struct {
	User, Group string
	Unreadable  []string // the files of the front that it cannot read
}

// Known is a value with its source; Set is false when it was not found.
type Known struct {
	Value string
	Set   bool
	Why   string
}

// Instance is what the running Bitbucket said.
type Instance struct {
	Upstream  string // "http://127.0.0.1:7990"
	Base      string // upstream with the context path that answered
	State     bitbucket.State
	Detail    string // why it is Unreachable
	Version   string
	BaseURL   Known              // stored base URL, where it tells
	AppLinks  bitbucket.AppLinks // that need the new URL
	SSH       Known              // SSH base URL
	SSHActive bool
}

// Certificate is the material named by the answers, without key bytes.
type Certificate struct {
	Given    bool
	Error    string             // why it could not be loaded
	Locked   bool               // and that is for want of a password
	WithKey  bool               // the key is in the certificate's own file
	Alias    string             // of the key in a key store
	Aliases  []CertificateAlias // the keys among which one must be named
	Do       string             // and what to do about it, where that is known
	Sources  map[string]string
	Digest   string // SHA-256 of the bundle that would be written
	Leaf     string // SHA-256 of the certificate alone
	Store    string // path of the bundle, where it was issued on our order
	InPlace  string // path of a --pem that can be used as it is
	Missing  string // address at which the authority has the intermediate that is missing, "" for none
	Names    []string
	Subject  string
	NotAfter string // RFC 3339 date
	Findings []problem.Finding
	Renewer  Renewer // who makes a new one in the same files
	Hooked   bool    // and makes the bundle again, too

	Hook atomicfile.File // what certbot is to run after a renewal; no path where it is not certbot
}

// OwnStore is the key store that a connector of Bitbucket's serves today.
type OwnStore struct {
	Path  string // "" for none
	Alias string // of its key, "" where the configuration names none
	Port  string // of the connector
	Why   string // where it is configured
}

// WithSource names the files that the source of the certificate stands for.
func (f Facts) WithSource(a Answers) Answers {
	if a.Cert+a.PEM != "" {
		return a
	}
	switch a.CertSource {
	case SourceBitbucket:
		a.Cert, a.CertAlias = f.OwnStore.Path, cmp.Or(a.CertAlias, f.OwnStore.Alias)
	case SourceRequest:
		a.PEM = f.Imported
	}
	return a
}

// CertificateAlias is a key of a store with what its certificate says.
type CertificateAlias struct {
	Alias    string
	Names    []string
	NotAfter string // date
}

// Authority is what an authority says of itself; the zero one where none was asked.
type Authority struct {
	Asked    bool
	Error    string // why it did not answer
	Do       string
	Terms    string        // URL of its terms of service, "" for none
	Bound    bool          // it makes accounts for those alone who have one with it already
	Profiles []string      // by name
	Account  string        // URL of our account there, "" for none
	Issuers  []string      // how CAA records name it
	Ahead    time.Duration // of this machine's clock, as it says what time it is; 0 where it does not
}

// Agreed reports whether its terms are agreed to, or need not be.
func (f Facts) Agreed(a Answers) bool {
	return !f.Authority.Asked || f.Authority.Account != "" || f.Authority.Terms == "" || a.ACMETerms == f.Authority.Terms || a.ACMETerms == AgreeTerms
}

// Renewer is certs.Renewer.
type Renewer struct {
	Name       string // "certbot", "" for none
	Standalone bool   // it opens a port itself to be asked by the authority
	Port       int    // which one, where that is not 80
	Conf       string // certbot's file about this renewal
	Hooks      string // certbot's folder of programs that run after a renewal
	Option     string // where the others are told what to run after a renewal
	Timer      string // what runs it regularly, "" where nothing was found
}

// CertificateFile is a certificate that was found with its key.
type CertificateFile struct {
	Cert, Key string // files; the same where both are in one
	Names     []string
	NotAfter  string // date
}

// For reports whether the certificate names host.
func (c CertificateFile) For(host string) bool {
	_, domain, _ := strings.Cut(host, ".")
	return slices.ContainsFunc(c.Names, func(n string) bool {
		return strings.EqualFold(n, host) || domain != "" && strings.EqualFold(n, "*."+domain)
	})
}

// CertificatesFor are those that name host, the one that ends last first.
func (f Facts) CertificatesFor(host string) []CertificateFile {
	return slices.DeleteFunc(slices.Clone(f.Certificates), func(c CertificateFile) bool { return !c.For(host) })
}

// KeyOf is where the key of a certificate file lies, "" where it was not found.
func (f Facts) KeyOf(cert string) string {
	if i := slices.IndexFunc(f.Certificates, func(c CertificateFile) bool { return c.Cert == cert }); i >= 0 {
		return f.Certificates[i].Key
	}
	return ""
}

// WithKey adds to answers that name a certificate alone where its key was found.
func (f Facts) WithKey(a Answers) (Answers, bool) {
	key := f.KeyOf(a.Cert)
	switch {
	case a.Cert == "" || a.PEM != "" || a.Key != "" || key == "", key == a.Cert && a.Chain != "":
		return a, false
	case key == a.Cert:
		a.PEM, a.Cert = a.Cert, ""
	default:
		a.Key = key
	}
	return a, true
}

// Listener is a TCP port somebody holds.
type Listener struct {
	Address string // "0.0.0.0:443"
	PID     int
	Process string // "haproxy"
	Proxy   bool   // it is the built-in proxy, whatever its program is called
	Unit    string // the service of systemd's that runs it, "" for none
	Loads   string // HAProxy: the first file or folder of its configuration, "" where that is not known
}

// Ours reports whether the built-in proxy listens.
func (l Listener) Ours() bool { return l.Proxy || l.Process == "bitgate" }

// WithSettings returns the facts with what a logged-in administrator sees.
func (f Facts) WithSettings(s bitbucket.Settings) Facts {
	why := "the server settings of " + f.Instance.Base
	f.Instance.BaseURL = Known{s.BaseURL, true, why}
	f.Instance.SSHActive = s.SSHEnabled
	if s.SSHEnabled {
		f.Instance.SSH = Known{s.SSHBaseURL, true, why}
	}
	f.Instance.AppLinks = s.AppLinks
	return f
}

// RunsFrom is where the program lies that works just now.
func (f Facts) RunsFrom() string {
	if f.Installation != nil {
		return f.Installation.From
	}
	return f.ProgramPath
}

// serverXML is the file as it is.
func (f Facts) serverXML() (*tomcat.ServerXML, error) {
	if f.Tree != nil {
		return f.Tree, nil
	}
	return tomcat.ParseServerXML(f.ServerXML.Path, f.ServerXML.Data)
}
