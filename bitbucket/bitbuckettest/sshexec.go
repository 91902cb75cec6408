package bitbuckettest

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"

	"bitgate/internal/child"
)

// converse is one connection: handshake, then any number of sessions.
func (s *sshServer) converse(conn net.Conn) {
	_, channels, requests, err := ssh.NewServerConn(conn, s.config)
	if err != nil {
		return
	}
	go ssh.DiscardRequests(requests)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel() // the connection is gone: so are its processes
	var wg sync.WaitGroup
	for open := range channels {
		if open.ChannelType() != "session" {
			_ = open.Reject(ssh.UnknownChannelType, "sessions only")
			continue
		}
		channel, requests, err := open.Accept()
		if err != nil {
			continue
		}
		wg.Go(func() { s.session(ctx, channel, requests) })
	}
	cancel()
	wg.Wait()
}

// session waits for the command; everything before it but GIT_PROTOCOL is refused.
func (s *sshServer) session(ctx context.Context, channel ssh.Channel, requests <-chan *ssh.Request) {
	defer channel.Close()
	protocol := ""
	for r := range requests {
		switch r.Type {
		case "env":
			var env struct{ Name, Value string }
			if ssh.Unmarshal(r.Payload, &env) == nil && env.Name == "GIT_PROTOCOL" {
				protocol = env.Value
			}
			reply(r, true)
		case "exec":
			var command struct{ Line string }
			if ssh.Unmarshal(r.Payload, &command) != nil {
				reply(r, false)
				return
			}
			reply(r, true)
			go ssh.DiscardRequests(requests)
			exit(channel, s.run(ctx, channel, command.Line, protocol))
			return
		case "shell":
			reply(r, true)
			fmt.Fprint(channel.Stderr(), "shell access is not supported.\r\n")
			exit(channel, 1)
			return
		default:
			reply(r, false)
		}
	}
}

func reply(r *ssh.Request, ok bool) {
	if r.WantReply {
		_ = r.Reply(ok, nil) // the connection is gone then, and ends the loop
	}
}

func exit(channel ssh.Channel, code int) {
	_, _ = channel.SendRequest("exit-status", false, ssh.Marshal(struct{ Code uint32 }{uint32(code)}))
}

// run does one of the commands Bitbucket allows and returns the exit status.
func (s *sshServer) run(ctx context.Context, channel ssh.Channel, line, protocol string) int {
	line = strings.TrimPrefix(strings.TrimSpace(line), "git-")
	line = strings.TrimPrefix(line, "git ")
	command, path, _ := strings.Cut(line, " ")
	switch command {
	case "whoami":
		fmt.Fprintln(channel, s.srv.o.AdminUser)
		return 0
	case "upload-pack", "receive-pack", "upload-archive":
	default:
		fmt.Fprintf(channel.Stderr(), "fatal: unrecognized command '%s'\n", command)
		return 127
	}
	path = strings.TrimSuffix(strings.ToLower(strings.Trim(path, `'"`)), ".git")
	if path != "/proj/repo" || s.srv.git == "" {
		fmt.Fprint(channel.Stderr(), "Repository not found\nThe requested repository does not exist, or you do not have permission to access it.\n")
		return 1
	}
	stdin, input, err := os.Pipe()
	if err != nil {
		return 1
	}
	git := child.Git(s.srv.repo, command, s.srv.repo)
	git.Env = append(git.Env, append(gitEnv(), "GIT_PROTOCOL="+protocol)...)
	git.Stdin, git.Stdout, git.Stderr = stdin, channel, channel.Stderr()
	running, err := git.Start(ctx)
	stdin.Close()
	if err != nil {
		input.Close()
		return 1
	}
	go func() { // ends when the client or the process closes its side
		_, _ = io.Copy(input, channel)
		input.Close()
	}()
	if err := running.Wait(); err != nil {
		return 1
	}
	return 0
}
