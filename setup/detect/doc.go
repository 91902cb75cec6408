// Package detect gathers the facts that a plan is made from. It reads only: files,
// the process table, and what Bitbucket and HAProxy tell without credentials.
package detect
