// Package bitbuckettest is a stand-in Bitbucket for tests and for `bitgate
// demo`: real configuration files on disk, the HTTP and SSH behaviour of the
// chosen version, a real git repository behind both.
//
// Rules of this package:
//   - It is an independent second reading of how Bitbucket and Tomcat behave.
//     It shares no parser and no constant with the packages that edit the files
//     or talk to the instance, so that a misreading there shows here.
//   - It is strict where the real product is known to be strict, and it really
//     does what a careless client asks for: a form posted without the SSH
//     checkbox switches SSH off.
//   - It takes port, context path and proxy attributes from the very file its
//     version reads, at every start and at no other time.
//   - It listens on loopback addresses only and is compiled into the binary, so
//     it does not import the testing package.
//
// What is not documented publicly is an assumption and marked as such where it
// is made: the names of the form's fields, the answer to a login that needs a
// second factor, and the manifest of application links.
package bitbuckettest
