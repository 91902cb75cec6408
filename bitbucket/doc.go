// Package bitbucket knows the instance: where it is installed, which version
// and generation it is, who owns it, what overrides its files, and how to talk
// to it over HTTP (status, version, base URL, SSH settings).
package bitbucket
