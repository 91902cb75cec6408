package proxy_test

import "strings"

func transparencyCases() []transparent {
	var all []transparent
	for _, part := range [][]transparent{
		targets(), refusedTargets(), keptHeaders(), removedHeaders(), forwardedHeaders(), bodies(), interims(), upgrades(), answers(),
	} {
		all = append(all, part...)
	}
	return all
}

// targets arrive byte for byte.
func targets() []transparent {
	var all []transparent
	for _, target := range []string{
		"/", "/bitbucket", "/bitbucket/", "//", "//x", "/x//y", "/x///", "/./x", "/x/../y", "/..", "/../../etc/passwd", "/x/.", "/x/..;/y", "/x;a=b/y;c",
		"/a%2Fb", "/a%2fb", "/%2e%2e/x", "/%2E", "/%5Cx", "/%00", "/%", "/%zz", "/%4", "/%41", "/a%20b", "/a+b", "/%252F", "/%C3%A9", "/%c3%a9",
		"/~x", "/a:b@c", "/a,b", "/!$&'()*+=", "/{a}", "/a|b", "/a^b", "/a[0]", `/a\b`, `/a"b`, "/<x>", "/`x`", "/-_.~",
		"/projects/P/repos/r/browse/src/a%20b.txt", "/scm/p/r.git/info/refs", "/rest/api/1.0/projects/~user/repos",
		"/http://other.example/", "/x:80", "/*", "/?", "/x?", "/x??", "/x?a", "/x?a=b&a=c", "/x?a=b;c=d", "/x?q=%zz", "/x?q=%", "/x?a+b", "/x?a%20b", "/x?/../y",
		"/x?http://other.example/", "/x?{a}|\"<>^`", `/x?\`, "/x?[0]=1", "/x?a=b?c=d", "/x?&&&", "/x?=", "/x?at=refs%2Fheads%2Fmaster", "/x?service=git-upload-pack",
		"/" + strings.Repeat("a", 3000), "/x?" + strings.Repeat("a=b&", 700),
	} {
		all = append(all, transparent{name: "target " + shorten(target), request: get(target), server: "+GET " + target + " HTTP/1.1"})
	}
	return all
}

func shorten(s string) string {
	if len(s) > 40 {
		return s[:40] + "..."
	}
	return s
}

func refusedTargets() []transparent {
	return []transparent{
		{name: "absolute-form with our authority", request: get("https://HOST/a%2Fb?c"), server: "+GET /a%2Fb?c HTTP/1.1\n+Host: localhost:8080"},
		{name: "absolute-form without a path", request: get("https://HOST"), server: "+GET / HTTP/1.1"},
		{name: "absolute-form with a query only", request: get("https://HOST?x"), server: "+GET /?x HTTP/1.1"},
		{name: "absolute-form of another host", request: get("https://other.example/x"), status: 421},
		{name: "another Host", request: "GET / HTTP/1.1\r\nHost: other.example\r\nConnection: close\r\n\r\n", status: 421},
		{name: "Host with another port", request: "GET / HTTP/1.1\r\nHost: localhost:81\r\nConnection: close\r\n\r\n", status: 421},
		{name: "Host in capitals", request: "GET / HTTP/1.1\r\nHost: LocalHost:8080\r\nConnection: close\r\n\r\n", server: "+GET / HTTP/1.1"},
		{name: "gopher", request: get("gopher://HOST/x"), status: 400},
		{name: "authority-form", request: get("HOST"), status: 400},
		{name: "asterisk-form", request: request("OPTIONS", "*", ""), status: 400},
		{name: "fragment", request: get("/x#y"), status: 400},
		{name: "CONNECT", request: request("CONNECT", "HOST", ""), status: 405},
		{name: "TRACE", request: request("TRACE", "/", ""), status: 405},
	}
}

func keptHeaders() []transparent {
	all := []transparent{
		{name: "order of headers", request: get("/", "B: 1", "A: 2", "C: 3"), server: "=B: 1|A: 2|C: 3"},
		{name: "a header twice", request: get("/", "A: 1", "B: 2", "A: 3"), server: "=A: 1|B: 2|A: 3"},
		{name: "Cookie twice", request: get("/", "Cookie: a=1", "Cookie: b=2"), server: "=Cookie: a=1|Cookie: b=2"},
		{name: "spelling of names", request: get("/", "x-LOWER-Upper: 1"), server: "+x-LOWER-Upper: 1"},
		{name: "empty value", request: get("/", "X-Empty:"), server: "+X-Empty: "},
		{name: "blanks around a value", request: get("/", "X:  \t a b \t "), server: "+X: a b"},
		{name: "latin-1 in a value", request: get("/", "X: caf\xe9"), server: "+X: caf\xe9"},
		{name: "UTF-8 in a value", request: get("/", "X: caf\xc3\xa9"), server: "+X: caf\xc3\xa9"},
		{name: "commas and quotes", request: get("/", `X: a,"b\"c",,d`), server: `+X: a,"b\"c",,d`},
		{name: "long value", request: get("/", "X: "+strings.Repeat("v", 4000)), server: "+X: " + strings.Repeat("v", 4000)},
		{name: "no User-Agent is added", request: get("/"), server: "-User-Agent\n-Accept"},
		{name: "digits in a name", request: get("/", "X-1: 2"), server: "+X-1: 2"},
	}
	for _, field := range []string{
		"Authorization: Basic eDp5", "Authorization: Bearer abc", "X-Atlassian-Token: no-check", "Git-Protocol: version=2", "Accept-Encoding: deflate, gzip",
		"If-None-Match: W/\"x\"", "Range: bytes=0-1", "Origin: https://x.example", "Referer: https://HOST/x?y", "Sec-Fetch-Site: none", "X-Requested-With: XMLHttpRequest",
		"Content-Type: application/x-git-upload-pack-request", "X-Request-Id: 1", "Priority: u=1",
	} {
		want := strings.ReplaceAll(field, "HOST", corpusHost)
		all = append(all, transparent{name: "kept: " + field, request: get("/", field), server: "+" + want})
	}
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "PROPFIND", "MKCOL", "REPORT", "VERSION-CONTROL"} {
		all = append(all, transparent{name: "method " + method, request: request(method, "/x", ""), server: "+" + method + " /x HTTP/1.1"})
	}
	return all
}

func removedHeaders() []transparent {
	var all []transparent
	for _, field := range []string{
		"Keep-Alive: timeout=5", "Proxy-Connection: keep-alive", "TE: trailers", "Proxy-Authorization: Basic eDp5", "Upgrade: h2c", "Upgrade: TLS/1.0",
		"HTTP2-Settings: AAMAAABkAAQAAP__", "Trailer: X", "X_Forwarded_For: 6.6.6.6", "X_Real_IP: 6.6.6.6", "X.Forwarded.For: 6.6.6.6", "Proxy: http://evil.example",
		"X-Original-URL: /admin", "X-Rewrite-URL: /admin", "X-Real-IP: 6.6.6.6", "Forwarded: for=6.6.6.6",
	} {
		name, _, _ := strings.Cut(field, ":")
		all = append(all, transparent{name: "removed: " + field, request: get("/", field), server: "+GET / HTTP/1.1\n-" + name + ":"})
	}
	return append(all,
		transparent{name: "named by Connection", request: get("/", "X-Secret: 1", "Connection: x-secret"), server: "+GET / HTTP/1.1\n-X-Secret"},
		transparent{name: "Authorization named by Connection stays", request: get("/", "Authorization: x", "Connection: authorization"), server: "+Authorization: x"},
		transparent{name: "Cookie named by Connection stays", request: get("/", "Cookie: x=y", "Connection: cookie"), server: "+Cookie: x=y"},
	)
}

func forwardedHeaders() []transparent {
	const ours = "+X-Forwarded-For: 127.0.0.1\n+X-Forwarded-Proto: https\n+X-Forwarded-Host: localhost:8080\n+X-Forwarded-Port: 8080"
	all := []transparent{{name: "ours are set", request: get("/"), server: ours}}
	for _, forged := range []string{
		"X-Forwarded-For: 6.6.6.6", "x-forwarded-for: 6.6.6.6", "X-FORWARDED-FOR: 6.6.6.6, 7.7.7.7", "X-Forwarded-Proto: plain", "X-Forwarded-Host: evil.example", "X-Forwarded-Port: 1",
		"X-Forwarded-Prefix: /evil", "X-Forwarded-Server: evil", "X-Forwarded-Ssl: off", "Connection: x-forwarded-for", "Connection: X-Forwarded-Proto, X-Forwarded-Host", "X-Forwarded_For: 6.6.6.6",
	} {
		want := ours
		if name, _, _ := strings.Cut(forged, ":"); name != "Connection" {
			want += "\n-" + forged
		}
		all = append(all, transparent{name: "forged " + forged, request: get("/", forged), server: want})
	}
	return all
}

func bodies() []transparent {
	return []transparent{
		{name: "length", request: request("POST", "/", "hello", "Content-Length: 5"), server: "+Content-Length: 5\n+BODY:hello"},
		{name: "length of zero", request: request("POST", "/", "", "Content-Length: 0"), server: "+Content-Length: 0\n+BODY:"},
		{name: "POST without a length", request: request("POST", "/", ""), server: "+POST / HTTP/1.1\n-Transfer-Encoding"},
		{name: "GET with a body", request: request("GET", "/", "hello", "Content-Length: 5"), server: "+BODY:hello"},
		{name: "DELETE with a body", request: request("DELETE", "/", "{}", "Content-Length: 2"), server: "+BODY:{}"},
		{name: "chunked stays chunked", request: request("POST", "/", "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", "Transfer-Encoding: chunked"), server: "+Transfer-Encoding: chunked\n-Content-Length\n+BODY:abcde"},
		{name: "chunked, empty", request: request("POST", "/", "0\r\n\r\n", "Transfer-Encoding: chunked"), server: "+Transfer-Encoding: chunked\n+BODY:"},
		{name: "trailer is dropped", request: request("POST", "/", "1\r\na\r\n0\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n", "Transfer-Encoding: chunked", "Trailer: X-Forwarded-For"), server: "+BODY:a\n-Trailer\n-X-Forwarded-For: 6"},
		{name: "chunk extension", request: request("POST", "/", "1;x=y\r\na\r\n0\r\n\r\n", "Transfer-Encoding: chunked"), status: 400},
		{name: "binary", request: request("POST", "/", "\x00\xff\r\x01a", "Content-Length: 5"), server: "*BODY:\x00\xff\r\x01a"},
	}
}

func interims() []transparent {
	const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
	return []transparent{
		{
			name: "Expect is forwarded, 100 comes from the server", request: request("POST", "/", after100+"hello", "Content-Length: 5", "Expect: 100-continue"),
			answer: "HTTP/1.1 100 Continue\r\n\r\n" + afterBody + ok, server: "+Expect: 100-continue\n+BODY:hello", client: "+HTTP/1.1 100 Continue",
		},
		{name: "no 100 of our own", request: request("POST", "/", "hello", "Content-Length: 5", "Expect: 100-continue"), server: "+BODY:hello", client: "-HTTP/1.1 100"},
		{name: "Expect without a body", request: get("/", "Expect: 100-continue"), server: "+GET / HTTP/1.1"},
		{name: "another expectation", request: request("POST", "/", "", "Content-Length: 0", "Expect: miracles"), status: 417},
		{name: "103 is passed on", request: get("/"), answer: "HTTP/1.1 103 Early Hints\r\nLink: </x>; rel=preload\r\n\r\n" + ok, server: "+GET / HTTP/1.1", client: "=HTTP/1.1 103 Early Hints|Link: </x>; rel=preload|HTTP/1.1 200 OK"},
		{name: "102 twice", request: get("/"), answer: strings.Repeat("HTTP/1.1 102 Processing\r\n\r\n", 2) + ok, server: "+GET / HTTP/1.1", client: "+HTTP/1.1 102 Processing"},
		{name: "sixteen interim answers", request: get("/"), answer: strings.Repeat("HTTP/1.1 102 Processing\r\n\r\n", 16) + ok, server: "+GET / HTTP/1.1"},
		{name: "seventeen interim answers", request: get("/"), answer: strings.Repeat("HTTP/1.1 102 Processing\r\n\r\n", 17) + ok, status: 502, server: "+GET / HTTP/1.1"},
	}
}

func upgrades() []transparent {
	ask := "GET /ws HTTP/1.1\r\nHost: HOST\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
	const agreed = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
	return []transparent{
		{name: "WebSocket", request: ask + after100 + "ping", answer: agreed, status: 101, server: "+Connection: Upgrade\n+Upgrade: websocket\n+Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", client: "+Upgrade: websocket\n+Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\n*PING"},
		{name: "WebSocket, refused", request: strings.Replace(ask, "Connection: Upgrade", "Connection: Upgrade, close", 1), answer: "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", status: 403, server: "+Upgrade: websocket"},
		{name: "a protocol nobody asked for", request: get("/"), answer: agreed, status: 502, server: "+GET / HTTP/1.1"},
		{name: "Upgrade without Connection", request: get("/", "Upgrade: websocket"), server: "+GET / HTTP/1.1\n-Upgrade"},
		{name: "Upgrade with a body", request: "POST /ws HTTP/1.1\r\nHost: HOST\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\nContent-Length: 1\r\n\r\na", server: "-Upgrade\n+BODY:a"},
	}
}

func answers() []transparent {
	answer := func(name, raw, client string) transparent {
		return transparent{name: "answer: " + name, request: get("/"), answer: raw, server: "+GET / HTTP/1.1", client: client}
	}
	return []transparent{
		answer("order and doubles", "HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nB: 1\r\nSet-Cookie: b=2\r\nContent-Length: 0\r\n\r\n", "=Set-Cookie: a=1|B: 1|Set-Cookie: b=2"),
		answer("spelling", "HTTP/1.1 200 OK\r\nx-LOWER-Upper: 1\r\nContent-Length: 0\r\n\r\n", "+x-LOWER-Upper: 1"),
		answer("reason", "HTTP/1.1 200 All is well\r\nContent-Length: 0\r\n\r\n", "+HTTP/1.1 200 All is well"),
		answer("underscore", "HTTP/1.1 200 OK\r\nX_Y: 1\r\nContent-Length: 0\r\n\r\n", "+X_Y: 1"),
		answer("latin-1", "HTTP/1.1 200 OK\r\nX: \xe9\r\nContent-Length: 0\r\n\r\n", "+X: \xe9"),
		answer("Location is left alone", "HTTP/1.1 200 OK\r\nLocation: http://127.0.0.1:7990/x\r\nContent-Length: 0\r\n\r\n", "+Location: http://127.0.0.1:7990/x"),
		answer("no Content-Type is guessed", "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>", "-Content-Type\n*<html>"),
		answer("no Date is added", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "-Date"),
		answer("hop-by-hop", "HTTP/1.1 200 OK\r\nKeep-Alive: timeout=5\r\nProxy-Connection: x\r\nX-Hop: 1\r\nConnection: x-hop\r\nContent-Length: 0\r\n\r\n", "-Keep-Alive\n-Proxy-Connection\n-X-Hop"),
		answer("chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", "+Transfer-Encoding: chunked\n=3|abc|0"),
		answer("until the end", "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabc", "*abc"),
		answer("gzip is left alone", "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\x1f\x8b\x08", "+Content-Encoding: gzip\n*\x1f\x8b\x08"),
		{name: "answer: 204", request: get("/"), answer: "HTTP/1.1 204 No Content\r\n\r\n", status: 204, server: "+GET / HTTP/1.1", client: "-Content-Length\n-Transfer-Encoding"},
		{name: "answer: 304 keeps its length", request: get("/"), answer: "HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\nETag: \"x\"\r\n\r\n", status: 304, server: "+GET / HTTP/1.1", client: "+ETag: \"x\"\n-Transfer-Encoding"},
		{name: "answer: to HEAD keeps its length", request: request("HEAD", "/", ""), answer: "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n", server: "+HEAD / HTTP/1.1", client: "+Content-Length: 7"},
		{name: "answer: 500 of the server", request: get("/"), answer: "HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n\r\noops", status: 500, server: "+GET / HTTP/1.1", client: "+HTTP/1.1 500 Oops\n*oops"},
		{name: "answer: 401 with a challenge", request: get("/"), answer: "HTTP/1.1 401 \r\nWWW-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n", status: 401, server: "+GET / HTTP/1.1", client: "+WWW-Authenticate: Basic realm=\"x\""},
		{name: "answer: both lengths", request: get("/"), answer: "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", status: 502, server: "+GET / HTTP/1.1"},
	}
}
