// Package fieldnames lists the header fields that a client must not send on to
// Bitbucket. It is the one table from which both fronts are made.
package fieldnames

import "slices"

// Prefixes begin names by which a proxy, and nobody else, tells where a request
// came from and who sent it.
var Prefixes = []string{
	"X-Forwarded-",     // de facto standard; -User, -Email, -Groups and -Client-Cert of authenticating proxies
	"X-SSL-",           // X-SSL-Client-Cert, -CN, -Verify: certificates, as nginx, Apache and HAProxy pass them on
	"SSL-Client-",      // the same without the X
	"X-Client-Cert",    // -DN, -Chain
	"X-Auth-Request-",  // oauth2-proxy
	"X-Amzn-Oidc-",     // AWS load balancers
	"X-Amzn-Mtls-",     // the same
	"X-MS-Client-",     // Azure: X-MS-CLIENT-PRINCIPAL
	"X-Goog-",          // Google's Identity-Aware Proxy
	"CF-Connecting-",   // Cloudflare: -IP, -IPv6
	"CF-Access-",       // Cloudflare Access
	"X-Authenticated-", // -User, -Groups
}

// Addresses claim the address of a client.
var Addresses = []string{
	"Forwarded", "Forwarded-For", "X-Forwarded", "X-Real-IP", "X-Client-IP", "Client-IP", "True-Client-IP", "X-True-Client-IP",
	"X-Cluster-Client-IP", "X-Remote-IP", "X-Remote-Addr", "X-Originating-IP", "X-ProxyUser-IP", "Fastly-Client-IP",
	"X-Azure-ClientIP", "X-Azure-SocketIP", "X-Envoy-External-Address", "Proxy-Client-IP", "WL-Proxy-Client-IP",
}

// Targets claim a host, a scheme or a path. Proxy is none of them, but programs
// started for a request read it as HTTP_PROXY (httpoxy, CVE-2016-5387).
var Targets = []string{
	"X-Host", "X-Original-Host", "X-Original-URL", "X-Rewrite-URL", "X-HTTP-Host-Override", "X-Scheme", "X-Url-Scheme", "X-HTTPS",
	"Front-End-Https", "X-ARR-SSL", "WL-Proxy-SSL", "X-Script-Name", "Proxy",
}

// Users claim a user, or the certificate of one (RFC 9440: Client-Cert).
var Users = []string{
	"Remote-User", "X-Remote-User", "X-Remote-Group", "X-WebAuth-User", "X-WebAuth-Email", "X-Auth-User", "X-Proxy-User",
	"X-ARR-ClientCert", "Client-Cert", "Client-Cert-Chain", "WL-Proxy-Client-Cert", "SM-User", "SM-UserDN", "IV-User",
}

// Identity is all of them.
var Identity = slices.Concat(Addresses, Targets, Users)

// HopByHop concern one connection only (RFC 9110, 7.6.1; RFC 9110, 11.7.1 and
// 11.7.2; RFC 7540, 3.2.1), besides Connection, the fields that it names, and
// Upgrade.
var HopByHop = []string{"Keep-Alive", "Proxy-Connection", "Proxy-Authorization", "Proxy-Authenticate", "TE", "Trailer", "HTTP2-Settings"}
