package metadatatest

// ServeEC2 is the service of [Example] with this user-data: nil is none, empty is an answer without a byte. For a
// [Platform], as is each function of this name.
func ServeEC2(userData []byte, faults ...Fault) *Handler {
	i := Example()
	i.UserData = userData
	return EC2(i, faults...)
}

// ServeGCE is the server of [ExampleGCE] with this user-data.
func ServeGCE(userData []byte, faults ...Fault) *Handler {
	i := ExampleGCE()
	i.Attributes["user-data"] = string(userData)
	if userData == nil {
		delete(i.Attributes, "user-data")
	}
	return GCE(i, faults...)
}

// ServeBrightbox is the service of [ExampleBrightbox] with this user-data.
func ServeBrightbox(userData []byte, faults ...Fault) *Handler {
	i := ExampleBrightbox()
	i.UserData = userData
	return Brightbox(i, faults...)
}

// ServeDigitalOcean is the service of [ExampleDroplet] with this user-data.
func ServeDigitalOcean(userData []byte, faults ...Fault) *Handler {
	return DigitalOcean(ExampleDroplet, userData, faults...)
}

// ServeHetzner is the service of [ExampleServer] with this user-data.
func ServeHetzner(userData []byte, faults ...Fault) *Handler {
	s := ExampleServer()
	s.UserData = userData
	return Hetzner(s, faults...)
}

// ServeAzure is the services of [ExampleVM] with this user-data.
func ServeAzure(userData []byte, faults ...Fault) *Handler {
	return Azure(ExampleVM, userData, &Wireserver{}, faults...)
}
