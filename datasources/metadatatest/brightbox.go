package metadatatest

// ExampleBrightbox is a server of Brightbox, with everything.
func ExampleBrightbox() Instance {
	return Instance{
		ID: "srv-agvxl", Hostname: "srv-agvxl.gb1.brightbox.com", LocalIPv4: "10.240.177.218", PublicIPv4: "203.0.113.7",
		IPv6: "2001:db8::5", Zone: "gb1-b", Type: "nano", Image: "img-hm6oj",
		Keys:       Example().Keys,
		UserData:   Example().UserData,
		NoDocument: true, Tokens: Unknown,
	}
}

// Brightbox makes the metadata service of a server of Brightbox: EC2's of the days before there were tokens. Source:
// Brightbox documentation, "User Data" (2026).
func Brightbox(i Instance, faults ...Fault) *Handler { return EC2(i, faults...) }
