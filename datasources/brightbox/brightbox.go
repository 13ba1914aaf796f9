// Package brightbox reads user-data and metadata from the metadata service of Brightbox, which is made after that of
// Amazon EC2 before it had session tokens.
//
// Format: Brightbox documentation, "User Data" (2026), https://www.brightbox.com/docs/guides/cli/user-data/; package ec2
// for the rest.
package brightbox

import (
	"cloudconfig/datasources"
	"cloudconfig/datasources/ec2"
)

// New makes the datasource of the service at a URL, which is a scheme and a host; "" means http://169.254.169.254. The
// error says what is wrong with the URL.
func New(env datasources.Env, url string) (datasources.Source, error) {
	return ec2.NewCompatible(env, "brightbox", url)
}
