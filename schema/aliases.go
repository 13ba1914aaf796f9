package schema

import "cloudconfig/schema/config"

// What a configuration means has a package of its own, which the checks between entries share with [Decode]. Whoever
// reads a configuration has all of it here.
type (
	Config          = config.Config
	Value[T any]    = config.Value[T]
	Secret          = config.Secret
	Metadata        = config.Metadata
	Values          = config.Values
	Group           = config.Group
	User            = config.User
	File            = config.File
	Source          = config.Source
	Header          = config.Header
	Agent           = config.Agent
	Setting         = config.Setting
	OEM             = config.OEM
	Update          = config.Update
	Unit            = config.Unit
	DropIn          = config.DropIn
	Script          = config.Script
	When            = config.When
	System          = config.System
	Keyboard        = config.Keyboard
	SSHServer       = config.SSHServer
	SSHConsole      = config.SSHConsole
	HostKey         = config.HostKey
	NTP             = config.NTP
	Resolver        = config.Resolver
	CACerts         = config.CACerts
	PhoneHome       = config.PhoneHome
	Password        = config.Password
	Certificate     = config.Certificate
	CertificatePart = config.CertificatePart
	Command         = config.Command
	PowerState      = config.PowerState
)

// How often a script runs.
const (
	PerInstance = config.PerInstance
	PerBoot     = config.PerBoot
	Once        = config.Once
)
