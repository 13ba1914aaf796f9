package metadatatest

import "net/http"

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

// ServeOpenStack is the service of [OpenStackExample] with this user-data.
func ServeOpenStack(userData []byte, faults ...Fault) *Handler {
	i := OpenStackExample()
	i.UserData = userData
	return OpenStack(i, faults...)
}

// ServeNoCloud is a web server with a seed below "/seed/". A seed without any user-data is none, so it has an empty one
// then.
func ServeNoCloud(userData []byte, faults ...Fault) *Handler {
	return New(files{"/seed/meta-data": "instance-id: iid-local01\nlocal-hostname: web1\n", "/seed/user-data": string(userData)}, faults...)
}

// ServeURL is a web server with a document at "/web1.yaml": with an empty one if there is to be none, since nothing
// there is an absence.
func ServeURL(userData []byte, faults ...Fault) *Handler {
	return New(files{"/web1.yaml": string(userData)}, faults...)
}

// files is a web server with files, by their paths.
type files map[string]string

// ServeHTTP answers as a web server does.
func (f files) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	text, ok := f[r.URL.Path]
	if !ok {
		write404(w)
		return
	}
	write(w, "application/octet-stream", text)
}
