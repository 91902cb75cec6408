package main

import (
	"bytes"
	"fmt"

	"bitgate/bitbucket"
)

// netrc holds logins by host, as curl, git and ftp read them from a .netrc. The
// entry "default" is left out: no password goes to a host that nobody named.
type netrc map[string]login

type login struct {
	user     string
	password bitbucket.Secret
}

// readNetrc reads a file that nobody else can have written.
func readNetrc(file string) (netrc, error) {
	data, err := readTrusted("the netrc file", file)
	if err != nil {
		return nil, err
	}
	defer clear(data)
	n := parseNetrc(data)
	if len(n) == 0 {
		return nil, usage(file+" names no machine with login and password", "write lines such as: machine jira.example.com login admin password ...")
	}
	return n, nil
}

func parseNetrc(data []byte) netrc {
	out := netrc{}
	host := ""
	for len(data) > 0 {
		var word, value []byte
		word, data = netrcWord(data)
		switch string(word) {
		case "machine":
			value, data = netrcWord(data)
			host = string(bytes.ToLower(value))
		case "default":
			host = ""
		case "login", "account", "password":
			value, data = netrcWord(data)
			if host == "" {
				continue
			}
			l := out[host]
			switch string(word) {
			case "login":
				l.user = string(value)
			case "password":
				l.password = bitbucket.NewSecret(bytes.Clone(value))
			}
			out[host] = l
		case "macdef": // up to an empty line
			_, data, _ = bytes.Cut(data, []byte("\n\n"))
		}
	}
	for host, l := range out {
		if l.user == "" || len(l.password.Reveal()) == 0 {
			delete(out, host)
		}
	}
	return out
}

// netrcWord takes one word, or one in double quotes with \" and \\ in it, off the
// beginning. From # at the beginning of a word the line is a comment.
func netrcWord(data []byte) (word, rest []byte) {
	for data = bytes.TrimLeft(data, " \t\r\n"); bytes.HasPrefix(data, []byte("#")); data = bytes.TrimLeft(data, " \t\r\n") {
		_, data, _ = bytes.Cut(data, []byte("\n"))
	}
	if !bytes.HasPrefix(data, []byte(`"`)) {
		if end := bytes.IndexAny(data, " \t\r\n"); end >= 0 {
			return data[:end], data[end:]
		}
		return data, nil
	}
	for i := 1; i < len(data); i++ {
		switch {
		case data[i] == '\\' && i+1 < len(data):
			i++
			word = append(word, data[i])
		case data[i] == '"':
			return word, data[i+1:]
		default:
			word = append(word, data[i])
		}
	}
	return word, nil
}

// login is that of a host.
func (n netrc) login(host string) (user string, password bitbucket.Secret, known bool) {
	l, known := n[host]
	return l.user, l.password, known
}

func (n netrc) wipe() {
	for _, l := range n {
		l.password.Wipe()
	}
}

// String keeps passwords out of whatever prints it.
func (n netrc) String() string { return fmt.Sprintf("%d logins", len(n)) }
