package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"time"

	"bitgate/certs/renewal"
)

var tlsChecks = []check{
	{
		id: "tls.connect", title: "TLS connection",
		why:  "without it nobody reaches Bitbucket under the public URL",
		do:   "see that the front runs and listens on that address, and that no firewall stands between",
		look: lookConnect,
	}, {
		id: "tls.client", title: "Certificates of clients", https: true,
		why:  "git, CI servers and browsers that show no certificate the front accepts do not get through",
		do:   "name one that its authorities (client-ca, HAProxy: ca-file) signed, with --client-cert-file and --client-key-file",
		look: lookClient,
	}, {
		id: "tls.chain", title: "Certificate chain", https: true,
		why:  "git, webhooks, CI servers and application links refuse a certificate they cannot trace to a root they trust",
		do:   "put the intermediate certificates into the bundle (bitgate cert inspect shows the chain)",
		look: lookChain,
	}, {
		id: "tls.name", title: "Certificate name", https: true,
		why:  "every client refuses a certificate made for another name",
		do:   "order a certificate that has this host among its subject alternative names",
		look: lookName,
	}, {
		id: "tls.dates", title: "Certificate dates", https: true,
		why:  "clients refuse a certificate outside its dates",
		do:   "renew the certificate; where a run set the front up, bitgate cert deploy hands it over",
		look: lookDates,
	}, {
		id: "tls.protocol", title: "TLS versions", https: true,
		why:  "TLS 1.0 and 1.1 are deprecated (RFC 8996) and fail security scans",
		do:   "allow TLS 1.2 and later only (HAProxy: ssl-min-ver TLSv1.2)",
		look: lookProtocol,
	},
}

func lookConnect(ctx context.Context, p *probe) verdict {
	if p.caErr != nil {
		return fail(fmt.Sprintf("--ca-file cannot be used: %v", p.caErr)).
			because("the certificate could not be traced to your own authority").
			doing("name a PEM file with the root certificate")
	}
	h := p.handshake(ctx)
	if h.err != nil {
		return fail(fmt.Sprintf("%s: %v", h.connected, h.err))
	}
	return ok("connected to " + h.connected)
}

func lookClient(ctx context.Context, p *probe) verdict {
	h := p.handshake(ctx)
	switch {
	case p.ownErr != nil:
		return fail(fmt.Sprintf("the client certificate cannot be used: %v", p.ownErr)).
			because("without it a front that asks for one was not looked at").doing("name PEM files of a certificate and its key, without a password: --client-cert-file, --client-key-file")
	case !h.asksClients:
		return verdict{}
	case len(p.own) > 0 && h.turnedAway:
		return fail("the front does not accept the certificate in " + p.t.ClientCert)
	case h.turnedAway:
		return note("the front turns clients without a certificate away; what stands behind it was not looked at").
			because("they are who it is for").doing("have verify show one: --client-cert-file and --client-key-file")
	case len(p.own) > 0:
		return ok("the front asks for one and accepts that in " + p.t.ClientCert)
	}
	return ok("the front asks for one and serves clients without, too")
}

func lookChain(ctx context.Context, p *probe) verdict {
	h := p.handshake(ctx)
	leaf := h.state.PeerCertificates[0]
	if h.chainErr == nil {
		return ok(fmt.Sprintf("%d certificates, issued by %s", len(h.state.PeerCertificates), issuer(leaf)))
	}
	v := fail(h.chainErr.Error())
	var unknown x509.UnknownAuthorityError
	switch {
	case !errors.As(h.chainErr, &unknown):
	case leaf.Issuer.String() == leaf.Subject.String():
		v = fail("the certificate is self-signed").
			doing("use one of a certificate authority, or give clients this certificate to trust (here: --ca-file)")
	case len(h.state.PeerCertificates) == 1:
		v = fail(fmt.Sprintf("the front sends only its own certificate, and its issuer %s is not a root known here", issuer(leaf))).
			doing("put the intermediate certificates into the bundle; for an authority of your own name its root with --ca-file")
	default:
		v = fail(fmt.Sprintf("issued by %s, which no root known here vouches for", issuer(leaf))).
			doing("for an authority of your own name its root with --ca-file, and install it where git and CI run")
	}
	return v
}

func issuer(c *x509.Certificate) string {
	if c.Issuer.CommonName != "" {
		return fmt.Sprintf("%q", c.Issuer.CommonName)
	}
	return fmt.Sprintf("%q", c.Issuer.String())
}

func lookName(ctx context.Context, p *probe) verdict {
	h := p.handshake(ctx)
	leaf := h.state.PeerCertificates[0]
	names := append([]string(nil), leaf.DNSNames...)
	for _, ip := range leaf.IPAddresses {
		names = append(names, ip.String())
	}
	made := "made for " + strings.Join(names, ", ")
	if len(names) == 0 {
		made = "has no subject alternative name"
	}
	if h.nameErr != nil {
		return fail(fmt.Sprintf("the certificate is not for %s; it is %s", p.t.URL.Host(), made))
	}
	return ok(made)
}

func lookDates(ctx context.Context, p *probe) verdict {
	leaf := p.handshake(ctx).state.PeerCertificates[0]
	now := time.Now()
	end, life := leaf.NotAfter.Format(time.DateOnly), renewal.Life{From: leaf.NotBefore, To: leaf.NotAfter}
	switch left := leaf.NotAfter.Sub(now); {
	case now.Before(leaf.NotBefore):
		return fail("valid only from " + leaf.NotBefore.Format(time.RFC3339)).
			doing("see whether the clock of this machine is right, else wait for that day")
	case left <= 0:
		return fail("ended on " + end)
	case life.Overdue(now):
		return warn(fmt.Sprintf("ends in %s (%s), and should have been renewed on %s", renewal.In(left), end, life.Due().Format(time.DateOnly)))
	default:
		return ok("valid until " + end)
	}
}

func lookProtocol(ctx context.Context, p *probe) verdict {
	version := p.handshake(ctx).state.Version
	if version < tls.VersionTLS12 {
		return fail("the front speaks " + tls.VersionName(version) + " at most")
	}
	old, err := p.tlsDial(ctx, &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11})
	if err == nil {
		return warn(fmt.Sprintf("%s, but %s is still accepted", tls.VersionName(version), tls.VersionName(old.Version)))
	}
	return ok(tls.VersionName(version) + "; 1.1 and older are refused")
}
