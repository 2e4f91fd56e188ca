"""Tables of finished trainings, in which a search looks architectures up in place of training them."""
