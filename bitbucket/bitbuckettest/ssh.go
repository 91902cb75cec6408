package bitbuckettest

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"golang.org/x/crypto/ssh"
)

// sshControl keeps the SSH server as the settings want it: it is opened, moved
// and closed by the form, too.
type sshControl struct {
	mu      sync.Mutex
	current *sshServer
	print   string
	stopped bool // the instance is going down: nothing opens it again
}

// applySSH makes the SSH server what the stored settings say.
func (i *instance) applySSH() error {
	c := &i.ssh
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped {
		return nil
	}
	f := i.srv.Fields()
	address := ""
	if f["sshEnabled"] == "true" {
		port, err := strconv.Atoi(f["sshPort"])
		if err != nil {
			return fmt.Errorf("SSH port %q is not a number", f["sshPort"])
		}
		address = net.JoinHostPort(i.srv.o.Address, strconv.Itoa(port))
	}
	if c.current != nil {
		if c.current.listener.Addr().String() == address {
			return nil
		}
		c.current.close()
		c.current = nil
	}
	if address == "" {
		return nil
	}
	server, print, err := i.srv.listenSSH(address)
	if err != nil {
		return err
	}
	c.current, c.print = server, print
	return nil
}

func (c *sshControl) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopped = true
	if c.current != nil {
		c.current.close()
		c.current = nil
	}
}

func (c *sshControl) addr() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.current == nil {
		return ""
	}
	return c.current.listener.Addr().String()
}

func (c *sshControl) fingerprint() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.print
}

// sshServer is one listening SSH server.
type sshServer struct {
	srv      *Server
	config   *ssh.ServerConfig
	listener net.Listener
	wg       sync.WaitGroup

	mu     sync.Mutex
	conns  map[net.Conn]bool
	closed bool
}

// listenSSH opens the server with the host key that the home keeps.
func (s *Server) listenSSH(address string) (*sshServer, string, error) {
	key, err := s.hostKey()
	if err != nil {
		return nil, "", err
	}
	config := &ssh.ServerConfig{
		ServerVersion: "SSH-2.0-SSHD-CORE-1.6.0-ATLASSIAN-2",
		// Any key is somebody's; which one does not matter to a stand-in.
		PublicKeyCallback: func(ssh.ConnMetadata, ssh.PublicKey) (*ssh.Permissions, error) { return nil, nil },
		PasswordCallback: func(_ ssh.ConnMetadata, password []byte) (*ssh.Permissions, error) {
			if string(password) != s.o.AdminPassword {
				return nil, errors.New("wrong password")
			}
			return nil, nil
		},
	}
	config.AddHostKey(key)
	l, err := listen(address)
	if err != nil {
		return nil, "", fmt.Errorf("the SSH server cannot listen: %w", err)
	}
	server := &sshServer{srv: s, config: config, listener: l, conns: map[net.Conn]bool{}}
	server.wg.Go(server.accept)
	return server, ssh.FingerprintSHA256(key.PublicKey()), nil
}

// hostKey reads or makes shared/config/ssh-server-keys.pem, so that clients see
// the same key after a restart.
func (s *Server) hostKey() (ssh.Signer, error) {
	path := filepath.Join(s.sharedDir(), "config", "ssh-server-keys.pem")
	data, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		_, private, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return nil, err
		}
		block, err := ssh.MarshalPrivateKey(private, "")
		if err != nil {
			return nil, err
		}
		data = pem.EncodeToMemory(block)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			return nil, err
		}
	} else if err != nil {
		return nil, err
	}
	return ssh.ParsePrivateKey(data)
}

func (s *sshServer) accept() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return // closed
		}
		if !s.track(conn) {
			conn.Close()
			return
		}
		s.wg.Go(func() {
			defer s.forget(conn)
			s.converse(conn)
		})
	}
}

func (s *sshServer) track(conn net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.conns[conn] = true
	return true
}

func (s *sshServer) forget(conn net.Conn) {
	conn.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, conn)
}

// close cuts every connection and waits until their processes are gone.
func (s *sshServer) close() {
	s.mu.Lock()
	s.closed = true
	s.listener.Close()
	for conn := range s.conns {
		conn.Close()
	}
	s.mu.Unlock()
	s.wg.Wait()
}
