package rehearsal

import "strings"

// Reply is what a recorder answers.
type Reply struct {
	Status int
	Header []Field
}

// ReplyTo is what Bitbucket would answer, in what its clients go by: Git is asked
// for its credentials and given its own types, who signs in is sent on, and what
// is not there is told in JSON.
func ReplyTo(host, target string, authorization, upgrade bool) Reply {
	path, query, _ := strings.Cut(target, "?")
	r := Reply{200, []Field{
		{"Cache-Control", "no-store"},
		{"Content-Type", "text/html;charset=UTF-8"},
		{"X-Arequestid", "@rehearsal"},
		{"Set-Cookie", "BITBUCKETSESSIONID=rehearsal; Path=/rehearsal; Secure; HttpOnly"},
	}}
	switch {
	case upgrade:
		r.Status = 101
	case isGit(target) && !authorization:
		r.Status = 401
		r.Header = append(r.Header, Field{"Www-Authenticate", `Basic realm="Atlassian Bitbucket"`})
	case strings.HasPrefix(query, "service=git-"):
		r.set("Content-Type", "application/x-"+strings.TrimPrefix(query, "service=")+"-advertisement")
	case strings.HasSuffix(path, "-pack") && isGit(target):
		r.set("Content-Type", "application/x-"+path[strings.LastIndexByte(path, '/')+1:]+"-result")
	case strings.HasSuffix(path, signIn):
		r.Status = 302
		r.Header = append(r.Header, Field{"Location", "https://" + host + strings.TrimSuffix(path, signIn) + "/dashboard"})
	case strings.HasSuffix(path, absent):
		r.Status = 404
		r.set("Content-Type", "application/json;charset=UTF-8")
	case strings.Contains(path, "/_/download/"):
		r.set("Cache-Control", "public,max-age=31536000")
		r.Header = append(r.Header, Field{"Etag", `W/"rehearsal"`})
	}
	return r
}

func (r *Reply) set(name, value string) {
	for i := range r.Header {
		if r.Header[i].Name == name {
			r.Header[i].Value = value
		}
	}
}
