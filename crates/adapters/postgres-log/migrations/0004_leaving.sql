-- The life in which a router said that it hands everything over; an earlier one of the same router says nothing.
ALTER TABLE routers ADD COLUMN leaving bigint NOT NULL DEFAULT 0;
